//! What the verbs work on: names, one after the other, from a walk or from somebody's list.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use dray_io::limits::BATCH_ENTRIES;
use dray_io::{Fault, Handle, Kind, Range, Stat, World};

use crate::archive::lock;
use crate::error::{Error, Result};
use crate::tally::Run;

/// Where entries come from. Taken a batch at a time, so it may be longer than memory.
pub type Feed<'a> = dyn Iterator<Item = std::result::Result<Entry, Fault>> + Send + 'a;

/// A name to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: PathBuf,
    pub kind: Kind,
    /// The file that the name must lead to, as [`Files::stat`](dray_io::Files::stat) tells it;
    /// `None` takes whatever is there.
    pub handle: Option<Handle>,
    /// What to restore, widened to checksum blocks; `None` for all. No other verb looks at it.
    pub range: Option<Range>,
    /// Another name of a file that is in the archive under its first: only the name is recorded.
    pub link: bool,
}

impl Entry {
    /// Whatever is at `path`, all of it.
    pub fn new(path: PathBuf, kind: Kind) -> Self {
        Self { path, kind, handle: None, range: None, link: false }
    }

    /// Fails if what was opened under the name is not the file that was meant. To be asked of the
    /// open file, so that the answer stays true.
    pub(crate) fn check(&self, opened: &Stat) -> Result<()> {
        if self.handle.is_none_or(|meant| meant == opened.handle) {
            Ok(())
        } else {
            Err(Error::AnotherFile { path: self.path.clone() })
        }
    }
}

/// A batch of a feed, shared between hands: taken in small handfuls, so that neighbours in a
/// directory stay together and the lock is rarely met. One hand at a time reads on, while the
/// others work on what was found before.
pub(crate) struct Queue<'q, 'f> {
    found: Mutex<VecDeque<Entry>>,
    source: Mutex<Source<'q, 'f>>,
    run: &'q Run<'q>,
}

struct Source<'q, 'f> {
    feed: &'q mut Feed<'f>,
    /// Entries that still belong to this batch.
    left: usize,
    over: bool,
}

/// Entries taken by a hand at a time.
const HANDFUL: usize = 8;
/// Entries found ahead of the hands, so that none waits for a directory to be read: some handfuls
/// for each.
const AHEAD: usize = 1024;
/// Entries found in one go: about a directory.
const STRIDE: usize = 128;

impl<'q, 'f> Queue<'q, 'f> {
    pub(crate) fn new(feed: &'q mut Feed<'f>, run: &'q Run<'q>) -> Self {
        let source = Mutex::new(Source { feed, left: BATCH_ENTRIES, over: false });
        Self { found: Mutex::default(), source, run }
    }

    /// Replaces what is in `out`, to be taken from its end; false when the batch has no more.
    pub(crate) fn take(&self, out: &mut Vec<Entry>) -> bool {
        out.clear();
        let ahead = self.pop(out);
        if out.is_empty() {
            let mut source = lock(&self.source);
            // Whoever had the lock until now may have found some.
            self.pop(out);
            while out.is_empty() && self.find(&mut source) > 0 {
                self.pop(out);
            }
        } else if ahead < AHEAD
            && let Ok(mut source) = self.source.try_lock()
        {
            self.find(&mut source);
        }
        !out.is_empty()
    }

    /// Works the batch off, a handful after the other; `work` leaves none of it. An entry by itself
    /// is no reason to wake all hands.
    pub(crate) fn work_off<W: World>(&self, world: &W, work: &(dyn Fn(&mut Vec<Entry>) + Sync)) {
        let mut first = Vec::new();
        while self.take(&mut first) {
            if let [_] = &first[..] {
                work(&mut first);
                continue;
            }
            let first = Mutex::new(std::mem::take(&mut first));
            world.hands(&|_| {
                let mut handful = std::mem::take(&mut *lock(&first));
                while !handful.is_empty() || self.take(&mut handful) {
                    work(&mut handful);
                }
            });
        }
    }

    /// Takes a handful of what was found; how many are left.
    fn pop(&self, out: &mut Vec<Entry>) -> usize {
        let mut found = lock(&self.found);
        let count = found.len().min(HANDFUL);
        out.extend(found.drain(..count));
        out.reverse();
        found.len()
    }

    /// Goes on with the feed; how many entries were found.
    fn find(&self, source: &mut Source<'q, 'f>) -> usize {
        let mut entries = Vec::with_capacity(STRIDE);
        while entries.len() < STRIDE && source.left > 0 {
            match source.feed.next() {
                Some(Ok(entry)) => {
                    source.left -= 1;
                    entries.push(entry);
                }
                Some(Err(fault)) => {
                    let path = fault.path.clone();
                    self.run.failed(&path, &Error::Fault(fault));
                }
                None => {
                    source.left = 0;
                    source.over = true;
                }
            }
        }
        let count = entries.len();
        lock(&self.found).extend(entries);
        count
    }

    /// Whether the feed has ended with this batch.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.source).over
    }
}
