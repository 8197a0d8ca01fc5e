//! Threads that each do one kind of work, as long as there is some.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_archive::Archive;
use dray_fs::LinuxFiles;
use dray_io::Fault;
use dray_mover::{ArchiveOptions, Error, Pace, RemoveOptions, RestoreOptions, Run, Watch};
use dray_wire::Status;
use dray_wire::messages::ItemResult;

use super::order::{Task, done, failed, nothing};
use super::{Shared, Urgency};
use crate::machine::OneCore;

/// How long a lane that archives waits for more before it commits what it has. Who goes through a
/// cold tree finds some ten thousand names a second, and an order has 256 of them: with 10 ms the
/// lane ran dry after each, and each of its hands wrote and flushed a segment of a few files.
const DRY: Duration = Duration::from_millis(50);

/// What a lane does with files as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Duty {
    Archive,
    Release,
    Restore,
    /// Restoring what somebody is about to read.
    Ahead,
    /// Restoring what somebody waits for.
    Recall,
    Remove {
        accept_content: bool,
    },
}

/// Works off what comes until nothing will any more.
pub(crate) fn work(
    shared: &Shared,
    archive: usize,
    (duty, urgency): (Duty, Urgency),
    tasks: &mut Receiver<Vec<Task>>,
) {
    let mut left = VecDeque::new();
    loop {
        if left.is_empty() {
            let Ok(first) = tasks.recv() else { return };
            left = first.into();
        }
        let hold = !matches!(duty, Duty::Archive | Duty::Recall);
        let batch = Batch { shared, archive, urgency, hold, state: Mutex::default() };
        let mut feed = TaskFeed {
            batch: &batch,
            ready: left,
            later: VecDeque::new(),
            more: tasks,
            // The others make what they did durable only at the end of a batch, so they end it.
            patience: if duty == Duty::Archive { DRY } else { Duration::ZERO },
        };
        let run = Run { tally: &shared.tally, watch: &batch };
        let outcome = perform(shared, &shared.archives[archive], duty, &mut feed, &run);
        let TaskFeed { ready: rest, later, .. } = feed;
        left = later;
        left.extend(batch.conclude(outcome, rest));
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
        Duty::Restore => {
            dray_mover::restore(machine, archive, feed, RestoreOptions::new(unit), run)
        }
        // Parts of files, one after the other: a ring for each would cost as much as half of it.
        Duty::Ahead => {
            let options = RestoreOptions { unit, read_next: true };
            dray_mover::restore(&OneCore::somewhere(machine, 0), archive, feed, options, run)
        }
        Duty::Recall => dray_mover::recall(machine, archive, feed, run),
        Duty::Remove { accept_content } => {
            let options = RemoveOptions { accept_content };
            dray_mover::remove(machine, archive, feed, options, run)
        }
    }
}

/// What was given to the mover and not heard of yet, and answers that are held back.
#[derive(Default)]
struct State {
    under_way: HashMap<PathBuf, Task>,
    held: Vec<(Task, ItemResult)>,
    /// Their names led elsewhere: to be looked for by handle, and what is answered otherwise.
    misled: Vec<(Task, ItemResult)>,
}

struct Batch<'a> {
    shared: &'a Shared,
    archive: usize,
    urgency: Urgency,
    /// Answers wait for the end, when all is durable.
    hold: bool,
    state: Mutex<State>,
}

impl Batch<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, path: &Path, result: ItemResult) {
        let mut state = self.state();
        let Some(task) = state.under_way.remove(path) else { return };
        if self.hold {
            state.held.push((task, result));
            return;
        }
        drop(state);
        self.shared.answer(&task, result);
    }

    /// The mover has come back: what it said nothing of was nothing to do, or what it failed with.
    /// What is to be tried again, under another name.
    fn conclude(self, outcome: dray_mover::Result<()>, rest: VecDeque<Task>) -> Vec<Task> {
        let (shared, archive) = (self.shared, self.archive);
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match &outcome {
            Ok(()) => nothing("nothing to do"),
            Err(error) => failed(error),
        };
        for (task, held) in state.held {
            let durable = outcome.is_ok() || held.status != Status::DONE;
            shared.answer(&task, if durable { held } else { result.clone() });
        }
        for task in state.under_way.into_values().chain(rest) {
            shared.answer(&task, result.clone());
        }
        let mut again = Vec::new();
        for (task, result) in state.misled {
            match shared.found_by_handle(archive, &task) {
                Some(found) => again.push(found),
                None => shared.answer(&task, result),
            }
        }
        again
    }
}

/// Whether a name led to nothing or to another file than was meant: it is only a hint.
fn is_misled(error: &Error) -> bool {
    match error {
        Error::AnotherFile { .. } => true,
        Error::Fault(fault) => fault.cause.kind() == std::io::ErrorKind::NotFound,
        _ => false,
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
        if is_misled(error) {
            let mut state = self.state();
            if let Some(task) = state.under_way.remove(path) {
                state.misled.push((task, failed(error)));
            }
            return;
        }
        self.answer(path, failed(error));
    }

    fn may_act(&self) -> bool {
        self.shared.lease.left_ns() > 0
    }

    fn pace(&self) -> Pace {
        self.shared.pace(self.urgency)
    }

    fn give_way(&self) {
        self.shared.awaited.give_way();
    }
}

/// Tasks as the mover takes them.
struct TaskFeed<'a> {
    batch: &'a Batch<'a>,
    ready: VecDeque<Task>,
    /// For the next batch: the mover tells of files by their names, so none has two of one name.
    later: VecDeque<Task>,
    more: &'a mut Receiver<Vec<Task>>,
    patience: Duration,
}

impl TaskFeed<'_> {
    fn refill(&mut self) -> bool {
        if !self.later.is_empty() {
            return false;
        }
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
        let answer = shared.not_to_begin(task);
        answer.map(|result| shared.answer(task, result)).is_none()
    }
}

impl Iterator for TaskFeed<'_> {
    type Item = Result<dray_mover::Entry, Fault>;

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
            let mut state = self.batch.state();
            match state.under_way.entry(entry.path.clone()) {
                Entry::Occupied(_) => self.later.push_back(task),
                Entry::Vacant(place) => {
                    place.insert(task);
                    return Some(Ok(entry));
                }
            }
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
