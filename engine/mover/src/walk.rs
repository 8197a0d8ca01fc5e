//! Going through trees without holding them in memory.

use std::path::{Path, PathBuf};

use dray_io::limits::DIR_ENTRIES;
use dray_io::{Access, Context, DirEntry, Fault, Files, Kind, Operation};

use crate::feed::Entry;

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
        Some(Ok(Entry::new(path, kind)))
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
                return Some(Ok(Entry::new(level.path, Kind::Directory)));
            }
            // By inode: that is the order of the inode tables on disk. Last first, see `entries`.
            level.entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.inode));
        }
    }
}
