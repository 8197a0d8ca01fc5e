//! What came of many runs.

use std::fmt;
use std::time::Duration;

use crate::checks::Counts;
use crate::injected::Injected;
use crate::run::Outcome;

#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) took: Duration,
    runs: u64,
    events: u64,
    operations: u64,
    requests: u64,
    counts: Counts,
    injected: Injected,
    /// Runs with violations.
    pub(crate) bad: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.events += outcome.events;
        self.operations += outcome.operations;
        self.requests += outcome.requests;
        self.counts.add(&outcome.counts);
        self.injected.add(&outcome.injected);
        self.bad += u64::from(!outcome.faults.is_empty());
    }

    pub(crate) fn panicked(&mut self) {
        self.runs += 1;
        self.bad += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.operations += other.operations;
        self.requests += other.requests;
        self.counts.add(&other.counts);
        self.injected.add(&other.injected);
        self.bad += other.bad;
        self.took += other.took;
    }

    /// What the runs of a scenario did not come to, though it is there to be tried.
    pub(crate) fn is_idle(&self) -> bool {
        let Counts { done, rights, reads, .. } = self.counts;
        done < self.runs || rights + reads < self.runs / 4
    }

    /// What no run of any scenario came to.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let mut missing = self.injected.missing();
        if self.counts.steps == 0 {
            missing.push("a file in parts");
        }
        if self.counts.led.contains(&0) {
            missing.push("a lead of each of three candidates");
        }
        missing
    }

    /// What was done in them, in words.
    pub(crate) fn work(&self) -> String {
        let Self { operations, requests, counts, .. } = self;
        let Counts { elections, led, begun, steps, changes, done, rights, reads, killed } = counts;
        format!(
            "  {operations} operations on files, {requests} requests, {begun} movements ({steps} \
             steps of parts), {changes} changes, {done} done, {rights} rights, {reads} reads, \
             {killed} processes killed, {elections} successions, by candidate {led:?}"
        )
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, events, bad, injected, .. } = self;
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{runs} seeds, {events} simulated events, {bad} with violations; faults: {injected}; \
             {seconds:.1} s"
        )
    }
}
