//! What a node does: it takes orders, does what it may, and answers each item once.

pub mod admission;
mod awaited;
mod lane;
mod order;
mod steps;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dray_archive::Archive;
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_io::limits::RECALL_INLINE;
use dray_mover::{Pace, Tally};
use dray_wire::messages::{ACCEPT_CONTENT, ItemResult, Order, READ_NEXT};
use dray_wire::{Class, OrderId, Reason, Status, Step, Verb};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::machine::Machine;
use crate::places::Places;
use awaited::Awaited;
use lane::{Duty, Sender};
pub(crate) use order::{Lease, Report};
use order::{OrderState, Task, ended};

/// What all lanes share.
pub(crate) struct Shared {
    pub(crate) machine: Machine,
    /// In the order of the configuration.
    pub(crate) archives: Vec<Archive<LinuxFiles>>,
    pub(crate) places: Places,
    /// Bytes per request.
    pub(crate) unit: u32,
    pub(crate) hash: bool,
    pub(crate) tally: Tally,
    pub(crate) lease: Lease,
    orders: Mutex<HashMap<OrderId, Arc<OrderState>>>,
    /// Items taken and not answered.
    under_way: AtomicU64,
    pub(crate) awaited: Awaited,
}

/// Nanoseconds that a block may take of what nobody waits for, where programs may come to wait:
/// the first of them has to wait for as much as is queued then.
const BULK_BLOCK_NS: u64 = 4_000_000;

impl Shared {
    fn answer(&self, task: &Task, result: ItemResult) {
        let over = task.order.answer(ItemResult { index: task.index, ..result });
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        if task.order.class == Class::BLOCKED {
            self.awaited.end();
        }
        if over {
            let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.remove(&task.order.id);
        }
    }

    /// How much of the devices a lane may take.
    pub(crate) fn pace(&self, urgency: Urgency) -> Pace {
        match urgency {
            Urgency::Bulk if self.awaited.is() => Pace::Least,
            Urgency::Bulk if self.machine.is_watched() => Pace::Within(BULK_BLOCK_NS),
            _ => Pace::Full,
        }
    }

    /// The same file where its handle leads, if that is still a place of this archive.
    fn found_by_handle(&self, archive: usize, task: &Task) -> Option<Task> {
        let handle = task.entry.handle.filter(|_| !task.by_handle)?;
        let (path, own) = self.places.at(self.machine.files(), handle)?;
        let entry = dray_mover::Entry { path, ..task.entry.clone() };
        (own == archive).then(|| Task { entry, by_handle: true, ..task.clone() })
    }

    /// The answer to what is not to be done any more.
    fn not_to_begin(&self, task: &Task) -> Option<ItemResult> {
        if self.lease.left_ns() == 0 {
            let text = "the lease of the node ended before it came to this";
            return Some(ended(Status::FAILED, Reason::LEASE_ENDED, text));
        }
        //= docs/wire.md#w-54
        let cancelled = task.order.is_cancelled(task.index);
        cancelled.then(|| ended(Status::CANCELLED, Reason::CANCELLED, ""))
    }
}

/// Whether somebody waits for so little that it is not to wait behind anything large.
fn is_recall(order: &Order, task: &Task) -> bool {
    let blocked = order.class == Class::BLOCKED && order.verb == Verb::RESTORE;
    let range = task.entry.range.filter(|range| range.len() <= RECALL_INLINE);
    blocked && order.step == Step::WHOLE && range.is_some()
}

/// A lane has a thread of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LaneKey {
    Whole(Duty, Urgency),
    /// First and last steps of split files.
    Ends,
    /// Parts of them.
    Core(usize),
}

/// What somebody waits for is not queued behind what can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Urgency {
    Urgent,
    Bulk,
}

impl Urgency {
    fn of(class: Class) -> Self {
        if class.0 < 2 { Self::Urgent } else { Self::Bulk }
    }
}

/// What a worker works with.
pub(crate) struct Setup {
    pub(crate) machine: Machine,
    pub(crate) archives: Vec<Archive<LinuxFiles>>,
    pub(crate) places: Places,
    /// Bytes per request.
    pub(crate) unit: u32,
    /// Keep a BLAKE3 of every file.
    pub(crate) hash: bool,
}

/// The engine of a node, taking orders.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    lanes: HashMap<(usize, LaneKey), Sender>,
    threads: Vec<JoinHandle<()>>,
    reports: UnboundedSender<Report>,
}

impl Worker {
    /// A worker, and what it reports.
    pub(crate) fn new(setup: Setup) -> (Self, UnboundedReceiver<Report>) {
        let (reports, receiver) = tokio::sync::mpsc::unbounded_channel();
        let Setup { machine, archives, places, unit, hash } = setup;
        let shared = Shared {
            machine,
            archives,
            places,
            unit,
            hash,
            tally: Tally::default(),
            lease: Lease::new(),
            orders: Mutex::default(),
            under_way: AtomicU64::new(0),
            awaited: Awaited::new(),
        };
        let lanes = HashMap::new();
        let shared = Arc::new(shared);
        (Self { shared, lanes, threads: Vec::new(), reports }, receiver)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.shared.lease
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.shared.under_way.load(Ordering::Relaxed)
    }

    /// A thread has ended though its lane has not: it panicked, and what it had is never answered.
    pub(crate) fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Takes an order that was admitted.
    pub(crate) fn take(&mut self, order: Order) {
        let state = Arc::new(OrderState::new(&order, self.reports.clone()));
        if order.items.0.is_empty() {
            return state.answer_nothing();
        }
        let items = order.items.0.len() as u64;
        self.shared.under_way.fetch_add(items, Ordering::Relaxed);
        if order.class == Class::BLOCKED {
            self.shared.awaited.begin(items);
        }
        {
            let orders = &self.shared.orders;
            let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.insert(order.order, Arc::clone(&state));
        }
        let (mut by_archive, files) = (HashMap::new(), self.shared.machine.files());
        for (index, item) in order.items.0.iter().enumerate() {
            let index = index as u32;
            match self.shared.places.locate(files, item) {
                Ok((entry, archive)) => {
                    let receipt = Arc::from(item.receipt.as_slice());
                    let order = Arc::clone(&state);
                    let task = Task { order, index, entry, receipt, by_handle: false };
                    by_archive.entry(archive).or_insert_with(Vec::new).push(task);
                }
                Err(why) => self.answer_at_once(&state, index, why.reason, &why.text),
            }
        }
        for (archive, tasks) in by_archive {
            let (soon, rest) = tasks.into_iter().partition(|task| is_recall(&order, task));
            for (tasks, soon) in [(soon, true), (rest, false)] {
                self.pass_on(&order, archive, tasks, soon);
            }
        }
    }

    fn pass_on(&mut self, order: &Order, archive: usize, tasks: Vec<Task>, soon: bool) {
        if tasks.is_empty() {
            return;
        }
        let cores = self.shared.machine.core_count();
        let urgency = Urgency::of(order.class);
        let flagged = |flag| order.flags & flag != 0;
        let (accept_content, read_next) = (flagged(ACCEPT_CONTENT), flagged(READ_NEXT));
        let duty = match order.verb {
            Verb::ARCHIVE => Some(Duty::Archive),
            Verb::RELEASE => Some(Duty::Release),
            Verb::RESTORE if soon => Some(Duty::Recall),
            Verb::RESTORE if read_next => Some(Duty::Ahead),
            Verb::RESTORE => Some(Duty::Restore),
            Verb::REMOVE => Some(Duty::Remove { accept_content }),
            _ => None,
        };
        let key = match (order.step, duty) {
            (Step::WHOLE, Some(duty)) => Some(LaneKey::Whole(duty, urgency)),
            (Step::BEGIN | Step::FINISH, Some(Duty::Archive | Duty::Restore | Duty::Ahead)) => {
                Some(LaneKey::Ends)
            }
            (Step::PART, Some(Duty::Archive | Duty::Restore | Duty::Ahead)) => {
                Some(LaneKey::Core(usize::from(order.core) % cores))
            }
            _ => None,
        };
        let sent = match key {
            None => Err((tasks, Reason::UNKNOWN_VALUE, "this node knows no such work".to_owned())),
            Some(key) => self.send(archive, key, tasks),
        };
        if let Err((tasks, reason, text)) = sent {
            for task in tasks {
                self.shared.answer(&task, ended(Status::FAILED, reason, &text));
            }
        }
    }

    fn send(
        &mut self,
        archive: usize,
        key: LaneKey,
        tasks: Vec<Task>,
    ) -> Result<(), (Vec<Task>, Reason, String)> {
        let sender = match self.lane(archive, key) {
            Ok(sender) => sender,
            Err(cause) => {
                return Err((tasks, Reason::BUSY, format!("cannot start a thread: {cause}")));
            }
        };
        let gone = "a thread of the engine has ended\nsee the log of the node";
        sender.send(tasks).map_err(|unsent| (unsent.0, Reason::FAILED, gone.to_owned()))
    }

    fn lane(&mut self, archive: usize, key: LaneKey) -> std::io::Result<Sender> {
        if let Some(sender) = self.lanes.get(&(archive, key)) {
            return Ok(sender.clone());
        }
        let name = match key {
            LaneKey::Whole(duty, urgency) => format!("{duty:?} {urgency:?}").to_lowercase(),
            LaneKey::Ends => "ends".to_owned(),
            LaneKey::Core(core) => format!("core {core}"),
        };
        let (sender, thread) =
            lane::start(&self.shared, name, move |shared, mut tasks| match key {
                LaneKey::Whole(duty, urgency) => {
                    lane::work(shared, archive, (duty, urgency), &mut tasks);
                }
                LaneKey::Ends => steps::ends(shared, archive, &tasks),
                LaneKey::Core(core) => steps::parts(shared, archive, core, &tasks),
            })?;
        self.threads.push(thread);
        self.lanes.insert((archive, key), sender.clone());
        Ok(sender)
    }

    fn answer_at_once(&self, order: &Arc<OrderState>, index: u32, reason: Reason, text: &str) {
        let entry = dray_mover::Entry::new(std::path::PathBuf::new(), dray_io::Kind::File);
        let (order, receipt) = (Arc::clone(order), Arc::from([]));
        let task = Task { order, index, entry, receipt, by_handle: true };
        self.shared.answer(&task, ended(Status::FAILED, reason, text));
    }

    /// Takes items back that have not begun.
    pub(crate) fn cancel(&self, order: OrderId, items: &[u32]) {
        let orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = orders.get(&order) {
            order.cancel(items);
        }
    }

    /// Waits for all lanes to end, and closes the archives.
    pub(crate) fn close(mut self) -> dray_archive::Result<Arc<Shared>> {
        self.lanes.clear();
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        for archive in &self.shared.archives {
            archive.close(self.shared.machine.files())?;
        }
        Ok(self.shared)
    }
}
