//! What a node does with orders: calls of the real mover, in the midst of which all others go on.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dray_archive::Archive;
use dray_io::{Fault, Handle, Kind, Range};
use dray_mover::{ArchiveOptions, Entry, Error, RemoveOptions, RestoreOptions, Run, Tally, Watch};
use dray_sim::Sim;
use dray_wire::messages::{ItemResult, Order, OrderItem};
use dray_wire::{Epoch, OrderId, Reason, Status, Step, Text, Verb};

use crate::cluster::Shared;
use crate::files::{UNIT, place};
use crate::node::NodeEvent;

/// What is done one after the other; lanes run beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Whole { verb: u8, urgent: bool },
    Ends,
    Parts,
}

impl Lane {
    pub(crate) fn of(order: &Order) -> Self {
        match order.step {
            Step::WHOLE => Self::Whole { verb: order.verb.0, urgent: order.class.0 < 2 },
            Step::PART => Self::Parts,
            _ => Self::Ends,
        }
    }
}

/// An item of an order.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) order: OrderId,
    pub(crate) epoch: Epoch,
    pub(crate) index: u32,
    pub(crate) item: OrderItem,
    pub(crate) step: Step,
    pub(crate) verb: Verb,
}

/// A call of the mover that is under way.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) node: usize,
    pub(crate) life: u64,
    pub(crate) verb: Verb,
    pub(crate) begun: u64,
    /// What was given to the mover, by name.
    pub(crate) given: BTreeMap<PathBuf, Task>,
}

pub(crate) fn done(bytes: u64) -> ItemResult {
    ItemResult { status: Status::DONE, bytes, ..ItemResult::default() }
}

pub(crate) fn nothing(why: &str) -> ItemResult {
    ItemResult { status: Status::NOTHING, text: Text::new(why), ..ItemResult::default() }
}

pub(crate) fn ended(status: Status, reason: Reason, text: &str) -> ItemResult {
    ItemResult { status, reason, text: Text::new(text), ..ItemResult::default() }
}

pub(crate) fn failed(error: &Error) -> ItemResult {
    let reason = match error {
        Error::AnotherFile { .. } => Reason::WRONG_FILE,
        Error::LeaseEnded { .. } => Reason::LEASE_ENDED,
        Error::Archive(
            dray_archive::Error::Damaged { .. } | dray_archive::Error::DamagedData { .. },
        ) => Reason::DAMAGE,
        Error::Archive(dray_archive::Error::AllInUse { .. }) => Reason::LATER,
        other if other.is_transient() => Reason::LATER,
        _ => Reason::FAILED,
    };
    ended(Status::FAILED, reason, &error.to_string())
}

/// One run of a lane.
pub(crate) struct Batch<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) node: usize,
    pub(crate) life: u64,
    lane: Lane,
    /// Answers that wait until all is durable.
    held: Mutex<Vec<(Task, ItemResult)>>,
}

impl Shared {
    /// Works off what is in a lane.
    pub(crate) fn work(&self, node: usize, life: u64, lane: Lane) {
        let mut cluster = self.lock();
        let own = &mut cluster.nodes[node];
        let first = own.queues.get(&lane).and_then(|queue| queue.front());
        let Some(verb) = first.map(|task| task.verb) else { return };
        if own.life != life || !own.busy.insert(lane) {
            return;
        }
        let world = own.process.clone();
        let archive = own.archives.get(&lane).cloned();
        let begun = cluster.now;
        cluster.calls.push(Call { node, life, verb, begun, given: BTreeMap::new() });
        drop(cluster);
        let batch = Batch { shared: self, node, life, lane, held: Mutex::default() };
        let opened = match archive {
            Some(archive) => Ok(archive),
            None => self.open_archive(node, life, lane, &world),
        };
        let outcome = opened.map_err(Error::from).and_then(|archive| match lane {
            Lane::Whole { .. } => batch.whole(&world, &archive, verb),
            Lane::Ends | Lane::Parts => {
                batch.steps(&world, &archive);
                Ok(())
            }
        });
        self.conclude(batch, outcome);
    }

    fn open_archive(
        &self,
        node: usize,
        life: u64,
        lane: Lane,
        world: &Sim,
    ) -> dray_archive::Result<Arc<Archive<Sim>>> {
        let archive = Arc::new(Archive::open(world, &place())?);
        let mut cluster = self.lock();
        let own = &mut cluster.nodes[node];
        if own.life == life {
            own.archives.insert(lane, Arc::clone(&archive));
        }
        Ok(archive)
    }

    /// The mover has come back: what it said nothing of was nothing to do, or what it failed with.
    fn conclude(&self, batch: Batch<'_>, outcome: dray_mover::Result<()>) {
        let Batch { node, life, lane, held, .. } = batch;
        let mut cluster = self.lock();
        cluster.observe();
        let call = cluster.calls.pop().expect("this one");
        if cluster.nodes[node].life != life {
            return;
        }
        let rest = match &outcome {
            Ok(()) => nothing("nothing to do"),
            Err(error) => failed(error),
        };
        for (task, result) in held.into_inner().expect("nobody panicked") {
            let durable = outcome.is_ok() || result.status != Status::DONE;
            cluster.node_answers(node, &task, if durable { result } else { rest.clone() });
        }
        for task in call.given.into_values() {
            cluster.node_answers(node, &task, rest.clone());
        }
        let own = &mut cluster.nodes[node];
        own.busy.remove(&lane);
        let left = own.queues.remove(&lane).unwrap_or_default();
        if outcome.is_err() {
            for task in left {
                cluster.node_answers(node, &task, rest.clone());
            }
        } else if !left.is_empty() {
            own.queues.insert(lane, left);
            let now = cluster.now;
            cluster.note_node(now, node, NodeEvent::Work(lane));
        }
    }
}

impl Batch<'_> {
    fn whole(&self, world: &Sim, archive: &Archive<Sim>, verb: Verb) -> dray_mover::Result<()> {
        let tally = Tally::default();
        let run = Run { tally: &tally, watch: self };
        let mut feed = Feed { batch: self, later: VecDeque::new() };
        let unit = UNIT;
        let outcome = match verb {
            Verb::ARCHIVE => {
                let options = ArchiveOptions { hash: false, unit };
                dray_mover::archive(world, archive, &mut feed, options, &run)
            }
            Verb::RELEASE => dray_mover::release(world, archive, &mut feed, &run),
            Verb::RESTORE => {
                dray_mover::restore(world, archive, &mut feed, RestoreOptions::new(unit), &run)
            }
            _ => dray_mover::remove(world, archive, &mut feed, RemoveOptions::default(), &run),
        };
        let later = feed.later;
        let mut cluster = self.shared.lock();
        let own = &mut cluster.nodes[self.node];
        if own.life == self.life {
            let queue = own.queues.entry(self.lane).or_default();
            later.into_iter().rev().for_each(|task| queue.push_front(task));
        }
        drop(cluster);
        outcome
    }

    /// The next task that may be begun, and is from now on.
    pub(crate) fn next_task(&self) -> Option<Task> {
        let mut cluster = self.shared.lock();
        loop {
            let own = &mut cluster.nodes[self.node];
            if own.life != self.life {
                return None;
            }
            let task = own.queues.get_mut(&self.lane)?.pop_front()?;
            let cancelled = own
                .orders
                .get(&task.order)
                .is_some_and(|taken| taken.cancelled.contains(&task.index));
            let answer = if !cluster.may_act(self.node) {
                ended(Status::FAILED, Reason::LEASE_ENDED, "the lease ended before it came to this")
            } else if cancelled {
                ended(Status::CANCELLED, Reason::CANCELLED, "")
            } else {
                cluster.begins(self.node, &task);
                return Some(task);
            };
            cluster.node_answers(self.node, &task, answer);
        }
    }

    fn answer(&self, path: &Path, result: ItemResult) {
        let mut cluster = self.shared.lock();
        let call = cluster.calls.last_mut().expect("the mover runs");
        let Some(task) = call.given.remove(path) else { return };
        if task.verb == Verb::ARCHIVE {
            if cluster.nodes[self.node].life == self.life {
                cluster.observe();
                cluster.node_answers(self.node, &task, result);
            }
        } else {
            drop(cluster);
            self.held.lock().expect("nobody panicked").push((task, result));
        }
    }
}

impl Watch for Batch<'_> {
    fn done(&self, path: &Path, bytes: u64) {
        self.answer(path, done(bytes));
    }

    fn skipped(&self, path: &Path, why: &'static str) {
        self.answer(path, nothing(why));
    }

    fn failed(&self, path: &Path, error: &Error) {
        self.answer(path, failed(error));
    }

    fn may_act(&self) -> bool {
        self.shared.meanwhile(self.node, self.life)
    }
}

/// Tasks as the mover takes them.
struct Feed<'a> {
    batch: &'a Batch<'a>,
    /// The mover tells of files by their names, so none is under way twice.
    later: VecDeque<Task>,
}

impl Iterator for Feed<'_> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let task = self.batch.next_task()?;
            let mut cluster = self.batch.shared.lock();
            let entry = entry(&cluster.checks.path(&task.item), &task.item);
            let call = cluster.calls.last_mut().expect("the mover runs");
            if call.given.contains_key(&entry.path) {
                self.later.push_back(task);
                continue;
            }
            call.given.insert(entry.path.clone(), task);
            return Some(Ok(entry));
        }
    }
}

pub(crate) fn entry(path: &Path, item: &OrderItem) -> Entry {
    let handle = Handle {
        file_system: item.handle.file_system,
        inode: item.handle.inode,
        generation: item.handle.generation,
    };
    let range = (item.length > 0).then(|| Range::new(item.offset, item.offset + item.length));
    Entry { handle: Some(handle), range, ..Entry::new(path.to_owned(), Kind::File) }
}
