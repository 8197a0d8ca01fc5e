//! What came of many runs.

use std::fmt;
use std::time::Instant;

use crate::checks::Counts;
use crate::run::Outcome;

/// Runs that went wrong and are shown.
const SHOWN: u64 = 10;

pub(crate) struct Sum {
    began: Instant,
    seeds: u64,
    pub(crate) events: u64,
    operations: u64,
    requests: u64,
    counts: Counts,
    pub(crate) bad: u64,
}

impl Sum {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            seeds: 0,
            events: 0,
            operations: 0,
            requests: 0,
            counts: Counts::default(),
            bad: 0,
        }
    }

    pub(crate) fn add(&mut self, name: &str, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.operations += outcome.operations;
        self.requests += outcome.requests;
        self.counts.add(&outcome.counts);
        if !outcome.faults.is_empty() {
            self.bad += 1;
            if self.bad <= SHOWN {
                println!("scenario {name}, seed {seed}: {:#?}", outcome.faults);
            }
        }
    }

    pub(crate) fn panicked(&mut self, name: &str, seed: u64) {
        self.seeds += 1;
        self.bad += 1;
        println!("scenario {name}, seed {seed}: it panicked, see above");
    }

    /// Whether the runs came to what they are there to try.
    pub(crate) fn is_enough(&self) -> bool {
        let Counts { done, rights, reads, .. } = self.counts;
        done > self.seeds && rights + reads > self.seeds / 4
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, events, operations, requests, counts, bad, .. } = self;
        let Counts { elections, begun, changes, done, rights, reads, killed } = counts;
        let seconds = self.began.elapsed().as_secs_f64();
        write!(
            f,
            "{seeds} seeds, {bad} bad, {events} events, {operations} operations, {seconds:.1} s; \
             {requests} requests, {begun} movements, {changes} changes, {done} done, {rights} \
             rights, {reads} reads, {killed} killed, {elections} elections"
        )
    }
}
