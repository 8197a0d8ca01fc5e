//! When a device is in steady state: the rule of the SNIA Performance Test Specification 2.0.2,
//! 2.1.24.

use dray_results::Steady;

/// Rounds that are judged together.
pub(crate) const WINDOW: usize = 5;

/// Rounds after which it is given up.
pub(crate) const ROUNDS: u64 = 25;

/// Largest minus smallest of the window, as a share of its mean, at most.
const RANGE: f64 = 0.2;

/// Rise or fall of the best-fit line over the window, as a share of the mean, at most.
const RISE: f64 = 0.1;

/// Judges the last rounds of a figure, the oldest first; `None` before there are enough.
pub(crate) fn judge(rounds: &[f64]) -> Option<Steady> {
    let window = &rounds[rounds.len().checked_sub(WINDOW)?..];
    let mean = window.iter().sum::<f64>() / WINDOW as f64;
    let most = window.iter().copied().fold(f64::MIN, f64::max);
    let least = window.iter().copied().fold(f64::MAX, f64::min);
    let share = |of: f64| if mean > 0.0 { of / mean } else { f64::INFINITY };
    let (range, rise) = (share(most - least), share(rise(window)));
    Some(Steady {
        criterion: format!(
            "over {WINDOW} rounds the range is at most {:.0} % of the mean, and the best-fit line \
             rises or falls by at most {:.0} %",
            RANGE * 100.0,
            RISE * 100.0
        ),
        attained: range <= RANGE && rise.abs() <= RISE,
        rounds: rounds.len() as u64,
        window: window.to_vec(),
        range,
        rise,
    })
}

/// How much the best-fit line through the values, one apart, rises from the first to the last.
fn rise(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let x = index as f64 - middle;
        above += x * (value - mean);
        below += x * x;
    }
    above / below * (count - 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attained(rounds: &[f64]) -> bool {
        judge(rounds).expect("enough rounds").attained
    }

    #[test]
    fn too_few_rounds_say_nothing() {
        assert_eq!(judge(&[1.0; 4]), None);
    }

    #[test]
    fn even_rounds_are_steady() {
        let steady = judge(&[9.0, 100.0, 101.0, 99.0, 100.0, 100.0]).expect("enough rounds");
        assert!(steady.attained && steady.rounds == 6 && steady.window.len() == WINDOW);
        assert!((steady.range - 0.02).abs() < 1e-9);
    }

    #[test]
    fn the_bounds_of_range_and_rise() {
        // Symmetric, so that the line is level: only the range counts.
        assert!(attained(&[90.0, 110.0, 100.0, 110.0, 90.0]));
        assert!(!attained(&[89.0, 111.0, 100.0, 111.0, 89.0]));
        // Along a line the rise is the range: only the slope counts.
        assert!(attained(&[95.0, 97.5, 100.0, 102.5, 105.0]));
        assert!(!attained(&[94.0, 97.0, 100.0, 103.0, 106.0]));
        assert!(!attained(&[106.0, 103.0, 100.0, 97.0, 94.0]), "falling counts as well");
    }

    #[test]
    fn nothing_done_is_not_steady() {
        assert!(!attained(&[0.0; 5]));
    }

    proptest! {
        #[test]
        fn the_unit_does_not_matter(
            rounds in proptest::collection::vec(50.0_f64..150.0, 5..9), factor in 0.01_f64..1000.0,
        ) {
            let scaled: Vec<f64> = rounds.iter().map(|round| round * factor).collect();
            let (one, other) = (judge(&rounds), judge(&scaled));
            let (one, other) = (one.expect("enough"), other.expect("enough"));
            prop_assert!((one.range - other.range).abs() < 1e-6);
            prop_assert!((one.rise - other.rise).abs() < 1e-6);
        }
    }
}
