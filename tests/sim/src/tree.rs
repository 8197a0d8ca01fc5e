//! The tree by a back door, for setting up, for playing the user, and for looking at the outcome.

use std::io;
use std::path::{Path, PathBuf};

use dray_io::limits::BLOCK;
use dray_io::{Access, Kind, Range, Stat, Time};

use crate::change::{Change, Times};
use crate::image::{Id, Inode, ROOT};
use crate::journal::Scope;
use crate::sim::Sim;
use crate::state::{Open, State};

/// Acts on paths at once: no leases, no permissions, no faults, no count. Panics where a path is
/// not what its caller takes it for.
#[derive(Debug, Clone)]
pub struct Tree {
    sim: Sim,
    durable: bool,
}

impl Tree {
    pub(crate) fn new(sim: Sim) -> Self {
        Self { sim, durable: true }
    }

    /// The same, but a crash may take back what is changed through it.
    pub fn unsynced(self) -> Self {
        Self { durable: false, ..self }
    }

    fn look<T>(&self, path: &Path, look: impl FnOnce(&Inode) -> T) -> T {
        let state = self.sim.state();
        let id = found(state.live.lookup(path), path);
        look(state.live.inode(id).expect("a name leads to an inode"))
    }

    fn change<T>(&self, path: &Path, change: impl FnOnce(&mut State) -> io::Result<T>) -> T {
        let mut state = self.sim.state();
        assert!(!state.crashed, "nobody changes {} without power", path.display());
        let result = found(change(&mut state), path);
        if self.durable {
            let scope = state.live.lookup(path).map_or(Scope::Names, Scope::File);
            state.flush(scope);
        }
        result
    }

    fn change_inode(&self, path: &Path, change: impl FnOnce(&mut State, Id) -> io::Result<()>) {
        self.change(path, |state| {
            let id = state.live.lookup(path)?;
            change(state, id)
        });
    }

    pub fn mkdir_all(&self, path: impl AsRef<Path>) {
        let mut ancestors: Vec<&Path> = path.as_ref().ancestors().collect();
        ancestors.reverse();
        for dir in ancestors.into_iter().filter(|dir| !self.exists(dir)) {
            self.change(dir, |state| state.make(dir, Kind::Directory, 0o755));
        }
    }

    /// Replaces the content, in place if the file is there; makes it and its parents if not.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        self.write_sparse(path, &[(0, bytes)], bytes.len() as u64);
    }

    /// As [`write_file`](Self::write_file), with holes between the given stretches.
    pub fn write_sparse(&self, path: impl AsRef<Path>, stretches: &[(u64, &[u8])], size: u64) {
        let path = path.as_ref();
        self.mkdir_all(path.parent().expect("a file is in a directory"));
        self.change(path, |state| {
            let id = match state.live.lookup(path) {
                Ok(id) => id,
                Err(_) => state.make(path, Kind::File, 0o644)?,
            };
            truncate(state, id, 0);
            for (at, bytes) in stretches {
                state.write(Open { id, access: Access::Write, process: 0 }, bytes, *at)?;
            }
            truncate(state, id, size);
            Ok(())
        });
    }

    /// Overwrites a part, and grows the file if it ends before.
    pub fn overwrite(&self, path: impl AsRef<Path>, at: u64, bytes: &[u8]) {
        self.change_inode(path.as_ref(), |state, id| {
            state.write(Open { id, access: Access::Write, process: 0 }, bytes, at)
        });
    }

    pub fn truncate(&self, path: impl AsRef<Path>, size: u64) {
        self.change_inode(path.as_ref(), |state, id| {
            truncate(state, id, size);
            Ok(())
        });
    }

    pub fn punch(&self, path: impl AsRef<Path>, range: Range) {
        self.change_inode(path.as_ref(), |state, id| {
            let times = state.times(Access::Write);
            state.record(Change::Punch { id, range, times });
            Ok(())
        });
    }

    pub fn set_modified(&self, path: impl AsRef<Path>, time: Time) {
        self.change_inode(path.as_ref(), |state, id| {
            let times = Times { modified: Some(time), changed: Some(state.tick()) };
            state.record(Change::SetTimes { id, times });
            Ok(())
        });
    }

    pub fn set_attribute(&self, path: impl AsRef<Path>, value: Option<&[u8]>) {
        self.change_inode(path.as_ref(), |state, id| {
            let (value, time) = (value.map(<[u8]>::to_vec), state.tick());
            state.record(Change::Attribute { id, value, time });
            Ok(())
        });
    }

    pub fn set_xattr(&self, path: impl AsRef<Path>, name: &[u8], value: Option<&[u8]>) {
        self.change_inode(path.as_ref(), |state, id| {
            let (name, value, time) = (name.to_vec(), value.map(<[u8]>::to_vec), state.tick());
            state.record(Change::Xattr { id, name, value, time });
            Ok(())
        });
    }

    pub fn symlink(&self, path: impl AsRef<Path>, target: &[u8]) {
        let path = path.as_ref();
        self.change(path, |state| state.make_symlink(path, target));
    }

    /// A second name for a file.
    pub fn link(&self, old: impl AsRef<Path>, new: impl AsRef<Path>) {
        let (old, new) = (old.as_ref(), new.as_ref());
        self.change(new, |state| state.link(old, new));
    }

    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.change(from, |state| state.rename(from, to));
    }

    /// A file, or an empty directory.
    pub fn remove(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.change(path, |state| state.unlink(path, true));
    }

    /// Damages one byte on the medium. No time moves, and no crash undoes it.
    pub fn flip_byte(&self, path: impl AsRef<Path>, at: u64) {
        let path = path.as_ref();
        let mut state = self.sim.state();
        let id = found(state.live.lookup(path), path);
        let inode = state.live.inode(id).expect("a name leads to an inode");
        let mut byte = [0];
        let written = inode.next_data(at).is_some_and(|range| range.start == at);
        assert!(written && inode.read(&mut byte, at) == 1, "no data at {at} of {}", path.display());
        let change = state.data(id, &[!byte[0]], at);
        state.live.apply(&change);
        state.journal.push_durable(change);
    }

    /// What a reader sees: holes are zeros.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Vec<u8> {
        self.look(path.as_ref(), |inode| {
            let mut bytes = vec![0; inode.size as usize];
            inode.read(&mut bytes, 0);
            bytes
        })
    }

    /// The stretches that `SEEK_DATA` and `SEEK_HOLE` would show.
    pub fn data_ranges(&self, path: impl AsRef<Path>) -> Vec<Range> {
        self.look(path.as_ref(), |inode| {
            let next = |range: &Range| inode.next_data(range.end);
            std::iter::successors(inode.next_data(0), next).collect()
        })
    }

    pub fn attribute(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.look(path.as_ref(), |inode| inode.attribute.clone())
    }

    pub fn stat(&self, path: impl AsRef<Path>) -> Stat {
        self.look(path.as_ref(), Inode::stat)
    }

    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.sim.state().live.lookup(path.as_ref()).is_ok()
    }

    /// Every path in the tree but the root, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.walk().into_iter().map(|(path, _)| path).collect()
    }

    /// Bytes of file data on disk, those of removed but open files among them.
    pub fn disk_use(&self) -> u64 {
        self.sim.state().live.blocks_used() * BLOCK
    }

    pub(crate) fn paths_of(&self, ids: &[Id]) -> Vec<PathBuf> {
        let root = (PathBuf::from("/"), ROOT);
        let all = self.walk().into_iter().chain([root]);
        all.filter(|(_, id)| ids.contains(id)).map(|(path, _)| path).collect()
    }

    fn walk(&self) -> Vec<(PathBuf, Id)> {
        let state = self.sim.state();
        let (mut found, mut left) = (Vec::new(), vec![(PathBuf::from("/"), ROOT)]);
        while let Some((path, id)) = left.pop() {
            let inode = state.live.inode(id).expect("a name leads to an inode");
            left.extend(inode.entries.iter().map(|(name, id)| (path.join(name), *id)));
            found.push((path, id));
        }
        found.retain(|(_, id)| *id != ROOT);
        found.sort();
        found
    }
}

fn truncate(state: &mut State, id: Id, size: u64) {
    let times = state.times(Access::Write);
    state.record(Change::Truncate { id, size, times });
}

fn found<T>(result: Result<T, impl Into<io::Error>>, path: &Path) -> T {
    result.unwrap_or_else(|error| panic!("{}: {}", path.display(), error.into()))
}
