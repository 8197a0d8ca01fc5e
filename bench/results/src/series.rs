//! Figures of intervals.

use std::time::Duration;

use crate::model::Interval;

/// Smallest, largest, mean and standard deviation of a series; zeros without values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) count: u64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            return Self::default();
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean,
            deviation: if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 },
            count: values.len() as u64,
        }
    }
}

/// An amount of an interval as an amount per second.
pub(crate) fn rate(amount: u64, interval: &Interval) -> f64 {
    let seconds = interval.length.as_secs_f64();
    if seconds > 0.0 { amount as f64 / seconds } else { 0.0 }
}

/// The intervals without a last one that was cut short, whose rate says less than the others'.
pub(crate) fn full(intervals: &[Interval]) -> &[Interval] {
    let usual = intervals.iter().map(|it| it.length).max().unwrap_or(Duration::ZERO);
    match intervals {
        [before @ .., last] if !before.is_empty() && last.length < usual.mul_f64(0.9) => before,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread() {
        let spread = Spread::of([1.0, 2.0, 3.0]);
        assert_eq!((spread.min, spread.max, spread.mean, spread.deviation), (1.0, 3.0, 2.0, 1.0));
        assert_eq!(Spread::of([]), Spread::default());
    }
}
