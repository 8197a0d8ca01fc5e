//! Going through trees without holding them in memory.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dray_io::limits::{BATCH_ENTRIES, DIR_ENTRIES};
use dray_io::{Access, Context, DirEntry, Fault, Files, Kind, Operation};

use crate::archive::lock;
use crate::error::Error;
use crate::tally::Run;

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: PathBuf,
    pub kind: Kind,
}

struct Level<F: Files> {
    path: PathBuf,
    dir: F::Dir,
    /// Entries read and not yet passed on, last first.
    entries: Vec<DirEntry>,
}

/// A walk over some roots. Directories come after what is in them. Holds one chunk of entries per
/// level, whatever the size of the directories.
pub struct Walk<'a, F: Files> {
    files: &'a F,
    roots: std::vec::IntoIter<PathBuf>,
    levels: Vec<Level<F>>,
    /// Directories that are passed over.
    excluded: Vec<PathBuf>,
}

impl<'a, F: Files> Walk<'a, F> {
    /// Walks `roots`, which are absolute and free of symbolic links but for their last name.
    pub fn new(files: &'a F, roots: Vec<PathBuf>, excluded: Vec<PathBuf>) -> Self {
        Self { files, roots: roots.into_iter(), levels: Vec::new(), excluded }
    }

    fn kind_of(&self, path: &Path) -> Result<Kind, Fault> {
        let file = self.files.open(path, Access::Inspect).during(Operation::Open, path)?;
        Ok(self.files.stat(&file).during(Operation::Stat, path)?.kind)
    }

    fn enter(&mut self, path: PathBuf) -> Result<(), Fault> {
        let dir = self.files.open_dir(&path).during(Operation::List, &path)?;
        self.levels.push(Level { path, dir, entries: Vec::new() });
        Ok(())
    }

    /// Turns a name into an entry; directories are entered first.
    fn found(&mut self, path: PathBuf, kind: Option<Kind>) -> Option<Result<Entry, Fault>> {
        if self.excluded.contains(&path) {
            return None;
        }
        let kind = match kind.map_or_else(|| self.kind_of(&path), Ok) {
            Ok(kind) => kind,
            Err(fault) => return Some(Err(fault)),
        };
        if kind == Kind::Directory {
            return self.enter(path).err().map(Err);
        }
        Some(Ok(Entry { path, kind }))
    }
}

impl<F: Files> Iterator for Walk<'_, F> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(level) = self.levels.last_mut() else {
                let root = self.roots.next()?;
                match self.found(root, None) {
                    Some(found) => return Some(found),
                    None => continue,
                }
            };
            if let Some(entry) = level.entries.pop() {
                let path = level.path.join(&entry.name);
                match self.found(path, entry.kind) {
                    Some(found) => return Some(found),
                    None => continue,
                }
            }
            let more = self.files.next_entries(&mut level.dir, DIR_ENTRIES, &mut level.entries);
            if let Err(fault) = more.during(Operation::List, &level.path) {
                self.levels.pop();
                return Some(Err(fault));
            }
            if level.entries.is_empty() {
                let level = self.levels.pop()?;
                return Some(Ok(Entry { path: level.path, kind: Kind::Directory }));
            }
            // By inode: that is the order of the inode tables on disk. Last first, see `entries`.
            level.entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.inode));
        }
    }
}

/// A batch of a walk, shared between hands: taken in small handfuls, so that neighbours in a
/// directory stay together and the lock is rarely met. One hand at a time reads on, while the
/// others work on what was found before.
pub(crate) struct Queue<'q, 'w, F: Files> {
    found: Mutex<VecDeque<Entry>>,
    source: Mutex<Source<'q, 'w, F>>,
    run: &'q Run<'q>,
}

struct Source<'q, 'w, F: Files> {
    walk: &'q mut Walk<'w, F>,
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

impl<'q, 'w, F: Files> Queue<'q, 'w, F> {
    pub(crate) fn new(walk: &'q mut Walk<'w, F>, run: &'q Run<'q>) -> Self {
        let source = Mutex::new(Source { walk, left: BATCH_ENTRIES, over: false });
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

    /// Takes a handful of what was found; how many are left.
    fn pop(&self, out: &mut Vec<Entry>) -> usize {
        let mut found = lock(&self.found);
        let count = found.len().min(HANDFUL);
        out.extend(found.drain(..count));
        out.reverse();
        found.len()
    }

    /// Goes on with the walk; how many entries were found.
    fn find(&self, source: &mut Source<'q, 'w, F>) -> usize {
        let mut entries = Vec::with_capacity(STRIDE);
        while entries.len() < STRIDE && source.left > 0 {
            match source.walk.next() {
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

    /// Whether the walk has ended with this batch.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.source).over
    }
}
