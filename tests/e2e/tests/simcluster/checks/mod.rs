//! What must hold. It hears what happens, and knows nothing of who makes it happen.

mod files;
mod losses;
mod requests;
mod rights;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use dray_sim::Sim;
use dray_wire::messages::{Order, OrderItem};
use dray_wire::{Epoch, FileHandle, OrderId, Step, Token, Verb};

use crate::work::{Call, Task};
pub(crate) use files::{FileState, Shape};
pub(crate) use losses::{Losses, Publisher};
pub(crate) use requests::Requests;
pub(crate) use rights::Rights;

/// Coordinators after one another use the same numbers.
pub(crate) type OrderKey = (Epoch, OrderId);

/// What must hold, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// No request that was accepted is lost, and what was said of one stays true.
    Promise,
    /// No file is published twice, or in mixed versions: it is what its user wrote last.
    Whole,
    /// Nobody changes a file that was given to another since.
    Fence,
    /// Nobody changes a file, or has a right on it, against the exclusive right of another.
    Exclusive,
    /// Every blocked reader is answered, and rightly.
    Reader,
    /// All comes to rest when faults and work have stopped.
    Drain,
}

/// Something that did not hold.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) check: Check,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.what)
    }
}

/// Who was told last to move a file.
#[derive(Debug)]
struct Posted {
    order: OrderKey,
    token: Token,
    verb: Verb,
    /// Of parts that are moved beside each other, by where they begin.
    parts: BTreeMap<u64, OrderKey>,
}

/// How much happened: a run in which nothing does shows nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) elections: u64,
    /// By candidate; the third and all after it together.
    pub(crate) led: [u64; 3],
    /// Movements that were begun, and changes that they made to files.
    pub(crate) begun: u64,
    /// Of those, steps of files that are moved in parts.
    pub(crate) steps: u64,
    pub(crate) changes: u64,
    /// Outcomes with which something was moved, rights that were held, reads that were let go on.
    pub(crate) done: u64,
    pub(crate) rights: u64,
    pub(crate) reads: u64,
    /// Lives of nodes, coordinators and programs that ended early.
    pub(crate) killed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.elections += other.elections;
        self.led.iter_mut().zip(other.led).for_each(|(own, more)| *own += more);
        self.begun += other.begun;
        self.steps += other.steps;
        self.changes += other.changes;
        self.done += other.done;
        self.rights += other.rights;
        self.reads += other.reads;
        self.killed += other.killed;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) faults: Vec<Fault>,
    pub(crate) requests: Requests,
    pub(crate) rights: Rights,
    pub(crate) files: Vec<FileState>,
    by_handle: BTreeMap<FileHandle, usize>,
    posted: BTreeMap<FileHandle, Posted>,
    /// Files that an operation under way changes.
    pub(crate) touched: Vec<usize>,
    pub(crate) losses: Losses,
    pub(crate) counts: Counts,
}

impl Checks {
    pub(crate) fn fault(&mut self, check: Check, what: String) {
        // The first ones tell what is wrong.
        if self.faults.len() < 8 {
            self.faults.push(Fault { check, what });
        }
    }

    pub(crate) fn file(&self, handle: &FileHandle) -> usize {
        self.by_handle[handle]
    }

    pub(crate) fn path(&self, item: &OrderItem) -> PathBuf {
        self.files[self.by_handle[&item.handle]].path.clone()
    }

    /// An order is sent to a node.
    pub(crate) fn posted(&mut self, order: &Order) {
        for item in &order.items.0 {
            let Order { order, epoch, token, verb, step, .. } = *order;
            let order = (epoch, order);
            let last = self.posted.get_mut(&item.handle);
            if let Some(last) = last.filter(|last| last.token == token && step == Step::PART) {
                last.parts.insert(item.offset, order);
                continue;
            }
            let parts = BTreeMap::from([(item.offset, order)]);
            let posted = Posted { order, token, verb, parts };
            self.posted.insert(item.handle, posted);
        }
    }

    /// A node begins what it was ordered to do.
    pub(crate) fn begins(&mut self, node: usize, task: &Task) {
        self.counts.begun += 1;
        self.counts.steps += u64::from(task.step != Step::WHOLE);
        let Some(last) = self.posted.get(&task.item.handle) else {
            let what = format!("node {node} begins what nobody ordered: {task:?}");
            return self.fault(Check::Fence, what);
        };
        if task.epoch < last.order.0 {
            let what = format!("node {node} begins {task:?} after {last:?}");
            self.fault(Check::Fence, what);
        }
    }

    /// A node is about to change a file.
    pub(crate) fn changes(&mut self, sim: &Sim, node: usize, path: &Path, call: &Call) {
        let Some(task) = call.given.get(path) else {
            let what = format!("node {node} changes {}, which it was not given", path.display());
            return self.fault(Check::Fence, what);
        };
        let handle = task.item.handle;
        let file = self.by_handle[&handle];
        self.touched.push(file);
        self.counts.changes += 1;
        let Some(last) = self.posted.get(&handle) else { return };
        let alone = task.verb != Verb::ARCHIVE;
        let order = (task.epoch, task.order);
        let part = last.parts.get(&task.item.offset);
        let is_last = last.order == order || part.is_some_and(|part| *part == order);
        // Two copies in the archive are merely one too many.
        let harmless = !alone && last.verb == Verb::ARCHIVE;
        if !is_last && !harmless {
            let what = format!("node {node} changes {} by {task:?} after {last:?}", path.display());
            self.fault(Check::Fence, what);
        }
        if let Some(held) = self.rights.against(&handle, alone) {
            let what = format!("node {node} changes {} by {task:?} against {held}", path.display());
            self.fault(Check::Exclusive, what);
        }
        if !alone {
            let version = self.files[file].version();
            let publisher = Publisher { version, order, node, begun: call.begun };
            self.publishes(sim, file, publisher);
        }
    }
}
