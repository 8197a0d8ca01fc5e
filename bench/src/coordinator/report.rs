//! What was found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::machine::Machine;
use crate::stats::Spread;

use super::place::StoreKind;
use super::quantiles::Quantiles;
use super::queue::AtLength;
use super::rate::RateRun;
use super::wait::RestoreWait;

/// Everything about one benchmark of the coordinator, to be printed (`Display`) or serialised.
#[derive(Clone, Debug, Serialize)]
pub struct CoordinatorReport {
    pub format: u32,
    pub workload: &'static str,
    /// Of each round; all of them ended well, or there would be no report.
    pub requests: u32,
    pub rounds: u32,
    pub nodes: u32,
    pub clients: u32,
    pub batch: u32,
    pub open: u32,
    pub names: bool,
    /// What kept the requests.
    pub store: StoreKind,
    pub conditions: Vec<String>,
    pub machine: Machine,
    /// From submission to the outcome.
    pub requests_per_second: Option<Spread>,
    pub coordinator_cpu_s: Option<Spread>,
    pub requests_per_cpu_second: Option<Spread>,
    pub runs: Vec<RateRun>,
    /// By length of the queue, of one submission.
    pub enqueue_p99_ns: BTreeMap<u32, u64>,
    pub lengths: Vec<Length>,
    /// None where no length was above zero.
    pub bytes_per_request: Option<f64>,
    pub list_requests_per_second: Option<f64>,
    pub cancel_ns: BTreeMap<u32, Quantiles>,
    pub restore_wait: RestoreWait,
}

/// At one length of the queue: medians over the rounds, and the greatest of all.
#[derive(Clone, Debug, Serialize)]
pub struct Length {
    pub queued: u32,
    /// Of one submission.
    pub enqueue: Quantiles,
    /// The median for each item of it.
    pub enqueue_item_ns: f64,
    /// To those of the shortest queue; medians of the ratios within each round.
    pub enqueue_p50_ratio: Option<Spread>,
    pub enqueue_p99_ratio: Option<Spread>,
    /// While it was filled.
    pub fill: Option<Quantiles>,
    pub cancel: Quantiles,
    pub list_requests_per_second: Option<f64>,
    /// Served per second when nodes join after it was filled.
    pub drain_requests_per_second: Option<f64>,
    /// Seconds until a coordinator that was started anew has taken up what was queued.
    pub restart_s: Option<f64>,
}

impl Length {
    /// `None` without rounds. `shortest` is what was found at the shortest length.
    pub(super) fn of(
        queued: u32,
        batch: u32,
        rounds: &[AtLength],
        shortest: &[AtLength],
    ) -> Option<Self> {
        let enqueue = merge(rounds.iter().map(|round| round.enqueue))?;
        let ratio = |get: fn(&Quantiles) -> u64| {
            let pairs = rounds.iter().zip(shortest);
            Spread::of(
                pairs.map(|(own, other)| get(&own.enqueue) as f64 / get(&other.enqueue) as f64),
            )
        };
        let median = |get: fn(&AtLength) -> Option<f64>| {
            Spread::of(rounds.iter().filter_map(get)).map(|spread| spread.median)
        };
        Some(Self {
            queued,
            enqueue,
            enqueue_item_ns: enqueue.p50_ns as f64 / f64::from(batch),
            enqueue_p50_ratio: ratio(|it| it.p50_ns),
            enqueue_p99_ratio: ratio(|it| it.p99_ns),
            fill: merge(rounds.iter().filter_map(|round| round.fill)),
            cancel: merge(rounds.iter().map(|round| round.cancel))?,
            list_requests_per_second: median(|round| round.list),
            drain_requests_per_second: median(|round| round.drain),
            restart_s: median(|round| round.restart),
        })
    }
}

/// Medians of the quantiles of several rounds; the greatest of all.
fn merge(rounds: impl Iterator<Item = Quantiles>) -> Option<Quantiles> {
    let rounds: Vec<Quantiles> = rounds.collect();
    let median = |get: fn(&Quantiles) -> u64| {
        Spread::of(rounds.iter().map(|round| get(round) as f64)).map(|it| it.median as u64)
    };
    Some(Quantiles {
        count: rounds.iter().map(|round| round.count).sum(),
        p50_ns: median(|it| it.p50_ns)?,
        p99_ns: median(|it| it.p99_ns)?,
        max_ns: rounds.iter().map(|round| round.max_ns).max()?,
    })
}
