//! What happens in the midst of a movement: everybody else goes on, and the one who moves may be
//! stopped or killed.
//!
//! A movement asks for the lease and then changes the file within the time that clocks leave for
//! it: between the two nothing else happens. Before it asks, and while a file is only read, time
//! passes as it likes.

use std::path::Path;

use dray_io::Operation;
use dray_sim::{Sim, Step};
use dray_wire::Verb;

use crate::clock::MS;
use crate::cluster::{Cluster, Shared, Wrong};
use crate::files::DATA;
use crate::injected::Kind;
use crate::work::Task;

fn changes(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::Write | O::WriteAttribute | O::Punch | O::Truncate | O::Allocate | O::SetMetadata
    )
}

/// Changes, and what is looked at between asking for the lease and a change.
fn is_quick(operation: Operation) -> bool {
    changes(operation) || matches!(operation, Operation::Stat | Operation::Lease)
}

impl Shared {
    /// Before an operation of a process.
    pub(crate) fn before(&self, sim: &Sim, step: &Step) {
        let mut cluster = self.lock();
        let now = cluster.now;
        cluster.trace.operation(now, sim.number(), step);
        cluster.observe();
        let Some(call) = cluster.calls.last() else { return };
        let (node, life) = (call.node, call.life);
        let data = step.path.starts_with(DATA);
        let loose = !(data && is_quick(step.operation));
        let chance = cluster.scenario.faults.crash_in_step;
        if !cluster.calm && cluster.random.per_mille(chance) {
            cluster.inject(Kind::CrashInStep);
            cluster.node_dies(node);
            return;
        }
        let waits = loose && cluster.random.below(3) == 0;
        drop(cluster);
        if waits {
            self.time_passes(node, 5, 4);
        }
        let mut cluster = self.lock();
        if data && changes(step.operation) && cluster.nodes[node].life == life {
            cluster.changes(node, &step.path);
            if cluster.wrong == Wrong::ByteTurned && step.operation == Operation::WriteAttribute {
                cluster.turn_byte(&step.path);
            }
        }
    }

    /// Asked by the mover before it changes something: time passes, and then the truth is told.
    pub(crate) fn meanwhile(&self, node: usize, life: u64) -> bool {
        self.time_passes(node, 10, 1);
        let cluster = self.lock();
        cluster.nodes[node].life == life && cluster.may_act(node)
    }

    /// Fewer than `most` things happen to others; one time in so many, a node may be stopped.
    fn time_passes(&self, node: usize, most: u64, one_in: u64) {
        let mut cluster = self.lock();
        let events = cluster.random.below(most);
        let chance = cluster.scenario.faults.pause_in_step;
        let stopped = cluster.random.below(one_in) == 0 && cluster.random.per_mille(chance);
        if stopped && !cluster.calm {
            cluster.stops(node);
        }
        let until = cluster.nodes[node].paused_until;
        drop(cluster);
        for _ in 0..events {
            self.step();
        }
        while self.lock().now < until && self.step() {}
    }
}

impl Cluster {
    /// The process of a node is stopped, unless it is.
    fn stops(&mut self, node: usize) {
        let until = self.now + self.random.between(200, 6000) * MS;
        let paused_until = &mut self.nodes[node].paused_until;
        if *paused_until <= self.now {
            *paused_until = until;
            self.counts_pause(until);
        }
    }

    /// Whether a node may act, as its own clock tells it.
    pub(crate) fn may_act(&self, node: usize) -> bool {
        let careless = matches!(self.wrong, Wrong::LeaseIgnored | Wrong::NothingChecked);
        careless || self.nodes[node].lease_left(self.now) > 0
    }

    /// A node begins an item of an order.
    pub(crate) fn begins(&mut self, node: usize, task: &Task) {
        if let Some(call) = self.calls.last_mut() {
            call.verb = task.verb;
        }
        self.trace.say(self.now, || format!("  node {node} begins {task:?}"));
        self.checks.begins(node, task);
    }

    /// A node changes a file of a user.
    fn changes(&mut self, node: usize, path: &Path) {
        let Some(call) = self.calls.last() else { return };
        let before = self.checks.faults.len();
        self.checks.changes(&self.sim, node, path, call);
        for fault in &self.checks.faults[before..] {
            self.trace.say(self.now, || format!("VIOLATION {fault}"));
        }
    }

    fn turn_byte(&mut self, path: &Path) {
        if self.calls.last().is_some_and(|call| call.verb == Verb::RESTORE)
            && self.random.below(4) == 0
        {
            self.sim.tree().overwrite(path, 0, &[1]);
        }
    }

    /// Notes how the files stand that were changed by the operation before.
    pub(crate) fn observe(&mut self) {
        for file in std::mem::take(&mut self.checks.touched) {
            self.checks.observe(self.now, &self.sim, file);
        }
    }
}
