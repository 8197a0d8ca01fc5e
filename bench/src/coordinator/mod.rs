//! The coordinator alone, behind real sockets and with the real protocol, and nodes that move
//! nothing.

#[cfg(feature = "etcd")]
mod etcd;
mod link;
mod load;
mod mover;
mod options;
mod pins;
mod place;
mod process;
mod quantiles;
mod queue;
mod rate;
mod report;
mod stage;
mod table;
mod wait;
mod work;

use std::path::Path;

use anyhow::{Context, Result};

pub use options::CoordinatorOptions;
pub use quantiles::Quantiles;
pub use rate::RateRun;
pub use report::{CoordinatorReport, Length};
pub use wait::{Behind, RestoreWait};

use crate::interrupt;
use crate::machine::Machine;
use crate::stats::Spread;
use pins::Pins;
use queue::AtLength;

/// Measures the coordinator.
pub fn run_coordinator(options: &CoordinatorOptions) -> Result<CoordinatorReport> {
    interrupt::watch()?;
    // Before this thread is kept off a CPU, which would not be counted then.
    let machine = Machine::under(Path::new("."))?;
    let load = process::load_average();
    let pins = Pins::new();
    let mut lengths = options.queue.clone();
    lengths.sort_unstable();
    lengths.dedup();
    let longest = lengths.last().copied().filter(|length| *length > 0);
    let bytes_per_request = longest
        .map(|length| queue::bytes_per_request(options, &pins, length))
        .transpose()
        .context("memory")?;
    let (runs, at) = rounds(options, &pins, &lengths)?;
    let restore_wait = wait::measure(options, &pins).context("wait of a restore")?;

    let none = Vec::new();
    let shortest = at.first().unwrap_or(&none);
    let found = lengths.iter().zip(&at);
    let found: Vec<Length> = found
        .filter_map(|(length, rounds)| Length::of(*length, options.batch, rounds, shortest))
        .collect();
    let of = |get: fn(&RateRun) -> Option<f64>| Spread::of(runs.iter().filter_map(get));
    Ok(CoordinatorReport {
        format: 1,
        workload: "coordinator",
        requests: options.requests,
        rounds: options.rounds,
        nodes: options.nodes,
        clients: options.clients,
        batch: options.batch,
        open: options.open,
        names: options.names,
        store: options.store,
        conditions: conditions(options, &pins, &load),
        machine,
        requests_per_second: of(|run| Some(run.requests_per_second)),
        coordinator_cpu_s: of(|run| Some(run.coordinator_cpu_s)),
        requests_per_cpu_second: of(|run| run.requests_per_cpu_second),
        runs,
        enqueue_p99_ns: found.iter().map(|it| (it.queued, it.enqueue.p99_ns)).collect(),
        bytes_per_request,
        list_requests_per_second: found.last().and_then(|it| it.list_requests_per_second),
        cancel_ns: found.iter().map(|it| (it.queued, it.cancel)).collect(),
        lengths: found,
        restore_wait,
    })
}

type Rounds = (Vec<RateRun>, Vec<Vec<AtLength>>);

/// All of it in each round, so that a disturbance of the machine does not hit one figure alone.
fn rounds(options: &CoordinatorOptions, pins: &Pins, lengths: &[u32]) -> Result<Rounds> {
    let (mut runs, mut at) = (Vec::new(), Vec::new());
    at.resize_with(lengths.len(), Vec::new);
    for round in 1..=options.rounds {
        runs.push(rate::round(options, pins).with_context(|| format!("round {round}"))?);
        interrupt::check()?;
        let found = queue::at_lengths(options, pins, lengths);
        let found = found.with_context(|| format!("round {round}"))?;
        at.iter_mut().zip(found).for_each(|(at, found)| at.push(found));
    }
    Ok((runs, at))
}

fn conditions(options: &CoordinatorOptions, pins: &Pins, load: &str) -> Vec<String> {
    let door = match &options.listen {
        Some(_) => "a Unix socket with a name",
        None => "pairs of Unix sockets",
    };
    vec![
        pins.describe(),
        // Whoever else runs meanwhile takes a CPU for milliseconds: seen in every p99.
        format!("load averages of the machine before: {load}; after: {}", process::load_average()),
        format!("a fresh coordinator for each figure, reached by {door}"),
        "a null mover joins, keeps its lease, and answers an order with one OrderDone without \
         moving anything or looking at its items; a client keeps 16 submissions without an answer"
            .to_owned(),
        format!("a client has at most {} requests without an outcome", options.open),
        "requests per CPU second: user and system time of the thread named coordinator, in clock \
         ticks"
            .to_owned(),
        "submit: from the first byte of one submission written to its answer read, at a length \
         that stays: no node is there, and what was submitted is cancelled before the next; the \
         coordinators with the lengths are there at once and asked in turn; p50 and p99 are \
         medians over the rounds, max of all"
            .to_owned(),
        "bytes per queued request: growth of the resident memory of the process, measured before \
         all else, with both ends' buffers grown already"
            .to_owned(),
        "restore wait: from the first byte of a submission of one interactive restore to the \
         arrival of its order at the only null mover, which takes its time for one archive order \
         after the other; archives are queued anew every 16 restores, between them"
            .to_owned(),
    ]
}
