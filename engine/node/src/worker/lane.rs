//! Threads that each do one kind of work, as long as there is some.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dray_archive::Archive;
use dray_fs::LinuxFiles;
use dray_io::Fault;
use dray_mover::{ArchiveOptions, Entry, Error, RemoveOptions, RestoreOptions, Run, Watch};
use dray_wire::messages::ItemResult;
use dray_wire::{Reason, Status};

use super::Shared;
use super::order::{Task, done, ended, failed, nothing};

/// How long a lane that archives waits for more before it commits what it has: long enough for who
/// asks to look at the next files on a cold disk, short beside the flushes that follow.
const DRY: Duration = Duration::from_millis(10);

/// What a lane does with files as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Duty {
    Archive,
    Release,
    Restore,
    Remove { accept_content: bool },
}

/// Works off what comes until nothing will any more.
pub(crate) fn work(shared: &Shared, archive: usize, duty: Duty, tasks: &mut Receiver<Vec<Task>>) {
    while let Ok(first) = tasks.recv() {
        let batch = Batch { shared, hold: duty != Duty::Archive, state: Mutex::default() };
        let mut feed = TaskFeed {
            batch: &batch,
            ready: first.into(),
            more: tasks,
            // The others make what they did durable only at the end of a batch, so they end it.
            patience: if duty == Duty::Archive { DRY } else { Duration::ZERO },
        };
        let run = Run { tally: &shared.tally, watch: &batch };
        let outcome = perform(shared, &shared.archives[archive], duty, &mut feed, &run);
        let rest = std::mem::take(&mut feed.ready);
        batch.conclude(outcome, rest);
    }
}

fn perform(
    shared: &Shared,
    archive: &Archive<LinuxFiles>,
    duty: Duty,
    feed: &mut TaskFeed<'_>,
    run: &Run<'_>,
) -> dray_mover::Result<()> {
    let (machine, unit) = (&shared.machine, shared.unit);
    match duty {
        Duty::Archive => {
            let options = ArchiveOptions { hash: shared.hash, unit };
            dray_mover::archive(machine, archive, feed, options, run)
        }
        Duty::Release => dray_mover::release(machine, archive, feed, run),
        Duty::Restore => dray_mover::restore(machine, archive, feed, RestoreOptions { unit }, run),
        Duty::Remove { accept_content } => {
            let options = RemoveOptions { accept_content };
            dray_mover::remove(machine, archive, feed, options, run)
        }
    }
}

/// What was given to the mover and not heard of yet, and answers that are held back.
#[derive(Default)]
struct State {
    under_way: HashMap<PathBuf, Vec<Task>>,
    held: Vec<(Task, ItemResult)>,
}

struct Batch<'a> {
    shared: &'a Shared,
    /// Answers wait for the end, when all is durable.
    hold: bool,
    state: Mutex<State>,
}

impl Batch<'_> {
    fn answer(&self, path: &Path, result: &ItemResult) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = state.under_way.remove(path) else { return };
        if self.hold {
            state.held.extend(tasks.into_iter().map(|task| (task, result.clone())));
            return;
        }
        drop(state);
        for task in &tasks {
            self.shared.answer(task, result.clone());
        }
    }

    /// The mover has come back: what it said nothing of was nothing to do, or what it failed with.
    fn conclude(self, outcome: dray_mover::Result<()>, rest: VecDeque<Task>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match &outcome {
            Ok(()) => nothing("nothing to do"),
            Err(error) => failed(error),
        };
        for (task, held) in state.held {
            let durable = outcome.is_ok() || held.status != Status::DONE;
            self.shared.answer(&task, if durable { held } else { result.clone() });
        }
        for task in state.under_way.into_values().flatten().chain(rest) {
            self.shared.answer(&task, result.clone());
        }
    }
}

impl Watch for Batch<'_> {
    fn done(&self, path: &Path, bytes: u64) {
        self.answer(path, &done(bytes));
    }

    fn skipped(&self, path: &Path, why: &'static str) {
        self.answer(path, &nothing(why));
    }

    fn failed(&self, path: &Path, error: &Error) {
        self.answer(path, &failed(error));
    }
}

/// Tasks as the mover takes them.
struct TaskFeed<'a> {
    batch: &'a Batch<'a>,
    ready: VecDeque<Task>,
    more: &'a mut Receiver<Vec<Task>>,
    patience: Duration,
}

impl TaskFeed<'_> {
    fn refill(&mut self) -> bool {
        let more = if self.patience.is_zero() {
            self.more.try_recv().map_err(|_| RecvTimeoutError::Timeout)
        } else {
            self.more.recv_timeout(self.patience)
        };
        match more {
            Ok(tasks) => {
                self.ready = tasks.into();
                true
            }
            Err(_) => false,
        }
    }

    /// Answers what is not to be done any more.
    fn may_begin(&self, task: &Task) -> bool {
        let shared = self.batch.shared;
        if shared.lease.left_ns() == 0 {
            let text = "the lease of the node ended before it came to this";
            shared.answer(task, ended(Status::FAILED, Reason::LEASE_ENDED, text));
            return false;
        }
        if task.order.is_cancelled(task.index) {
            shared.answer(task, ended(Status::CANCELLED, Reason::CANCELLED, ""));
            return false;
        }
        true
    }
}

impl Iterator for TaskFeed<'_> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(task) = self.ready.pop_front() else {
                if self.refill() {
                    continue;
                }
                return None;
            };
            if !self.may_begin(&task) {
                continue;
            }
            let entry = task.entry.clone();
            let mut state = self.batch.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.under_way.entry(entry.path.clone()).or_default().push(task);
            return Some(Ok(entry));
        }
    }
}

/// A thread and the way to it.
pub(crate) type Sender = std::sync::mpsc::Sender<Vec<Task>>;

/// Starts the thread of a lane.
pub(crate) fn start(
    shared: &Arc<Shared>,
    name: String,
    body: impl FnOnce(&Shared, Receiver<Vec<Task>>) + Send + 'static,
) -> std::io::Result<(Sender, std::thread::JoinHandle<()>)> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new().name(name);
    let thread = thread.spawn(move || body(&shared, receiver))?;
    Ok((sender, thread))
}
