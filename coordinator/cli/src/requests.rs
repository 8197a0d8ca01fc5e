//! Trees as requests: walked, submitted, and their outcomes heard.

mod again;
mod batch;
mod totals;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_fs::LinuxFiles;
use dray_io::{Handle, Kind, Range};
use dray_mover::{Entry, Walk};
use dray_node::Standalone;
use dray_wire::messages::Outcome;
use dray_wire::{Class, Message, Reason, RequestId, Status, Verb};

use crate::door::{Door, refused};
use crate::exit::Failure;
use crate::look::{Found, look_all};
use crate::output::{Reporter, text_path};
use crate::requests::again::{Accepted, Line};
use crate::requests::batch::{BATCH, Batch};
pub(crate) use crate::requests::totals::Totals;

/// Files submitted and not ended: what this process remembers of a tree of any size.
const OPEN: usize = 16_384;
/// Between looks whether the node of this process is still there.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done to every file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    pub(crate) class: Class,
    pub(crate) flags: u16,
    pub(crate) range: Option<Range>,
}

impl Ask {
    pub(crate) fn new(verb: Verb) -> Self {
        let class = if verb == Verb::ARCHIVE { Class::ARCHIVE } else { Class::INTERACTIVE };
        Self { verb, class, flags: 0, range: None }
    }
}

/// Files with several names: the further ones wait until the first is in the archive.
enum Links {
    /// The first name is being archived; these wait.
    Waiting(Vec<Found>),
    Archived,
}

/// A file that was asked for.
struct Asked {
    path: PathBuf,
    /// Of the first of several names.
    first: Option<Handle>,
    /// It may have been asked for before, over a connection that ended.
    twice: bool,
}

#[derive(Default)]
struct Open {
    asked: HashMap<RequestId, Asked>,
    /// The one that was asked for last.
    last: Option<RequestId>,
    /// Outcomes that came before it was known what they were of.
    early: HashMap<RequestId, Outcome>,
    links: HashMap<Handle, Links>,
    /// Further names whose file is in the archive now, or could not be put there (`false`).
    freed: VecDeque<(Found, bool)>,
    /// Files with several names whose first is under way.
    firsts: usize,
    ended: bool,
}

struct Tree<'a> {
    door: &'a Door,
    ask: Ask,
    totals: &'a Totals,
    reporter: &'a Reporter<'a>,
    line: Mutex<Line>,
    open: Mutex<Open>,
    changed: Condvar,
}

/// Asks for every file below `roots`, and waits for all outcomes.
pub(crate) fn run_tree(
    door: &mut Door,
    files: &LinuxFiles,
    (roots, excluded): (Vec<PathBuf>, Vec<PathBuf>),
    ask: Ask,
    totals: &Totals,
    reporter: &Reporter<'_>,
) -> Result<(), Failure> {
    let mut pushed = door.pushed.take().expect("one tree at a time");
    let line = Mutex::new(Line::of(door));
    let (open, changed) = (Mutex::default(), Condvar::new());
    let tree = Tree { door, ask, totals, reporter, line, open, changed };
    let (outcome, pushed) = std::thread::scope(|scope| {
        let tree = &tree;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let listener = scope.spawn(move || {
            let handle = tree.door.runtime.handle().clone();
            handle.block_on(tree.listen(&mut pushed, stopped));
            pushed
        });
        let outcome = tree.submit_all(files, roots, excluded);
        drop(stop);
        (outcome, listener.join())
    });
    let line = tree.line.into_inner().unwrap_or_else(PoisonError::into_inner);
    (door.client, door.session) = (line.client, line.session);
    match pushed {
        Ok(pushed) => door.pushed = Some(pushed),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    outcome
}

impl Tree<'_> {
    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit_all(
        &self,
        files: &LinuxFiles,
        roots: Vec<PathBuf>,
        excluded: Vec<PathBuf>,
    ) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let mut walk = Walk::new(files, roots, excluded);
        let wanted = |entry: &Entry| self.ask.verb == Verb::ARCHIVE || entry.kind == Kind::File;
        loop {
            let entries: Vec<_> = walk.by_ref().take(BATCH).collect();
            if entries.is_empty() {
                break;
            }
            let entries = entries.into_iter().filter(|it| it.as_ref().map_or(true, wanted));
            for found in look_all(files, self.ask.verb, entries.collect()) {
                match found {
                    Ok(found) => self.found(&mut batch, found),
                    Err((path, fault)) => {
                        self.failed(&path, &fault.to_string(), fault.advice(), Reason::FAILED);
                    }
                }
                if batch.is_full() {
                    self.submit(&mut batch)?;
                }
            }
            self.submit(&mut batch)?;
        }
        self.submit_links(&mut batch)?;
        self.wait_for(0)
    }

    fn found(&self, batch: &mut Batch, found: Found) {
        if self.ask.verb != Verb::ARCHIVE {
            return batch.add(found, self.ask.range, false);
        }
        let several = found.entry.kind != Kind::Directory && found.links > 1;
        let (true, Some(handle)) = (several, found.entry.handle) else {
            return batch.add(found, None, false);
        };
        let mut open = self.locked();
        match open.links.get_mut(&handle) {
            None => {
                open.links.insert(handle, Links::Waiting(Vec::new()));
                open.firsts += 1;
                batch.first_names.push(handle);
                batch.add(found, None, false);
            }
            Some(Links::Waiting(waiting)) => waiting.push(found),
            Some(Links::Archived) => batch.add(found, None, true),
        }
    }

    /// Further names, as their files come to be in the archive.
    fn submit_links(&self, batch: &mut Batch) -> Result<(), Failure> {
        loop {
            let (freed, firsts) = {
                let mut open = self.locked();
                while open.freed.is_empty() && open.firsts > 0 && !open.ended {
                    open = self.wait(open);
                }
                (std::mem::take(&mut open.freed), open.firsts)
            };
            if freed.is_empty() {
                return if firsts == 0 { Ok(()) } else { Err(closed()) };
            }
            for (found, archived) in freed {
                batch.add(found, None, archived);
                if batch.is_full() {
                    self.submit(batch)?;
                }
            }
            self.submit(batch)?;
        }
    }

    fn submit(&self, batch: &mut Batch) -> Result<(), Failure> {
        if batch.items.is_empty() {
            return Ok(());
        }
        self.wait_for(OPEN)?;
        let Batch { items, entries, first_names, .. } = std::mem::take(batch);
        let Accepted { requests, turn, twice } = self.ask_for(items)?;
        let mut early = Vec::new();
        {
            let mut open = self.locked();
            open.last = requests.last().copied();
            for (request, (path, handle)) in requests.iter().copied().zip(entries) {
                let first = handle.filter(|handle| first_names.contains(handle));
                open.asked.insert(request, Asked { path, first, twice });
                early.extend(open.early.remove(&request));
            }
            // One submission at a time: what is left was heard of before, or asked for twice.
            open.early.clear();
        }
        for outcome in early {
            self.hear(outcome);
        }
        self.watch_missed(&requests, turn)
    }

    /// Waits until no more than so many are open.
    fn wait_for(&self, most: usize) -> Result<(), Failure> {
        let mut open = self.locked();
        while open.asked.len() > most {
            if open.ended {
                return Err(closed());
            }
            open = self.wait(open);
        }
        Ok(())
    }

    /// Waits for news, or for the end of what could bring any.
    fn wait<'o>(&self, open: MutexGuard<'o, Open>) -> MutexGuard<'o, Open> {
        let waited = self.changed.wait_timeout(open, LOOK);
        let (mut open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        open.ended |= self.door.hosted.as_ref().is_some_and(Standalone::is_over);
        open
    }

    async fn listen(
        &self,
        pushed: &mut dray_client::Pushed,
        mut stopped: tokio::sync::oneshot::Receiver<()>,
    ) {
        loop {
            tokio::select! {
                biased;
                () = self.hear_all(pushed) => {}
                _ = &mut stopped => return,
                () = self.follow_last() => {}
            }
            tokio::select! {
                again = self.again() => match again {
                    Some(again) => *pushed = again,
                    None => break,
                },
                _ = &mut stopped => return,
            }
        }
        self.locked().ended = true;
        self.changed.notify_all();
    }

    /// Until the connection ends.
    async fn hear_all(&self, pushed: &mut dray_client::Pushed) {
        while let Some(message) = pushed.recv().await {
            if let Message::Outcomes(outcomes) = message {
                outcomes.outcomes.0.into_iter().for_each(|outcome| self.hear(outcome));
            }
        }
    }

    /// Notes where the last request stands in the queue, for people who wait; for ever.
    async fn follow_last(&self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            let last = self.locked().last;
            let client = self.line().client.clone();
            let info = match last {
                Some(last) => client.request(last).await.ok(),
                None => None,
            };
            let (before, ms) = info.map_or((0, 0), |info| (info.position, info.eta_ms));
            self.totals.before.store(before, Ordering::Relaxed);
            self.totals.eta_ms.store(ms.into(), Ordering::Relaxed);
        }
    }

    fn hear(&self, outcome: Outcome) {
        let mut open = self.locked();
        let Some(Asked { path, first, twice }) = open.asked.remove(&outcome.request) else {
            open.early.insert(outcome.request, outcome);
            return;
        };
        if let Some(handle) = first {
            // Unless it is new in the archive, its names are what they were. If it was asked for
            // twice, it is new by the first.
            let archived =
                outcome.status == Status::DONE || twice && outcome.status == Status::NOTHING;
            let next = if archived { Some(Links::Archived) } else { None };
            let waiting = match next {
                Some(next) => open.links.insert(handle, next),
                None => open.links.remove(&handle),
            };
            if let Some(Links::Waiting(waiting)) = waiting {
                open.freed.extend(waiting.into_iter().map(|found| (found, archived)));
            }
            open.firsts -= 1;
        }
        drop(open);
        self.changed.notify_all();
        let count = |counter: &AtomicU64, more| counter.fetch_add(more, Ordering::Relaxed);
        match outcome.status {
            Status::DONE => {
                count(&self.totals.files, 1);
                count(&self.totals.bytes, outcome.bytes);
            }
            Status::NOTHING => drop(count(&self.totals.skipped, 1)),
            _ => {
                let text = text_of(&outcome, &path);
                let (error, advice) = text.split_once('\n').unwrap_or((&text, ""));
                self.failed(&path, error, advice, outcome.reason);
            }
        }
    }

    fn failed(&self, path: &Path, error: &str, advice: &str, reason: Reason) {
        self.totals.failed.fetch_add(1, Ordering::Relaxed);
        self.reporter.failed(path, error, advice, reason);
    }
}

/// Why it was not done. Of what had ended before this connection began only the reason is known.
fn text_of(outcome: &Outcome, path: &Path) -> String {
    if outcome.text.as_str().is_empty() {
        let (path, status, reason) = (text_path(path), outcome.status, outcome.reason);
        return format!("{path}: {status} ({reason})\nsee the logs of the nodes");
    }
    outcome.text.as_str().to_owned()
}

fn closed() -> Failure {
    refused(dray_client::Error::Closed)
}
