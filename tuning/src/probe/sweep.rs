//! All settings, beside what a search found.

use std::time::Instant;

use super::measure::Pattern;
use super::search::{Device, Setting, Space, median, race};

/// Rounds in which the best of a sweep run against what was found.
const SWEEP_ROUNDS: usize = 9;
const SWEEP_RUNNERS: usize = 5;
const DUEL_ROUNDS: usize = 15;

/// A sweep beside what the search found.
#[derive(Debug, Clone)]
pub struct Beside {
    pub pattern: &'static str,
    /// Settings that were tried.
    pub settings: usize,
    pub seconds: f64,
    pub best: Setting,
    /// Bytes per second, in the last rounds.
    pub best_rate: f64,
    pub found: Setting,
    pub found_rate: f64,
    /// Of what was found, in the best: of the medians of what each reached within a round.
    pub share: f64,
}

/// All settings once; then the best of them and what was found in alternating rounds, since
/// the best of many single figures is the luckiest, too; and the best of those against what
/// was found once more, for the same reason.
pub(super) fn sweep<D: Device>(
    space: &Space,
    found: Setting,
    pattern: Pattern,
    bench: &mut D,
) -> Result<Beside, D::Error> {
    let began = Instant::now();
    let mut all = Vec::new();
    for setting in space.all() {
        all.push((setting, bench.measure(setting)?));
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut runners = vec![found];
    let others = all.iter().map(|(setting, _)| *setting).filter(|it| *it != found);
    runners.extend(others.take(SWEEP_RUNNERS));
    let raced = race(bench, &runners, SWEEP_ROUNDS)?;
    let fastest = (0..runners.len())
        .max_by(|a, b| raced.shares[*a].total_cmp(&raced.shares[*b]))
        .expect("what was found runs, too");
    let best = runners[fastest];
    let duel = race(bench, &[found, best], DUEL_ROUNDS)?;
    let rate = |at: usize| median(&duel.rates[at]);
    let is_it = best == found;
    Ok(Beside {
        pattern: pattern.name(),
        settings: all.len(),
        seconds: began.elapsed().as_secs_f64(),
        best,
        best_rate: if is_it { rate(0) } else { rate(1) },
        found,
        found_rate: rate(0),
        share: if is_it { 1.0 } else { duel.shares[0] / duel.shares[1] },
    })
}
