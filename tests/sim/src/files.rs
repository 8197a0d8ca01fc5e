//! The calls of a file system.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use dray_io::{Access, DirEntry, Files, Kind, Operation, Range, Stat, Time};

use crate::change::{Change, Times};
use crate::errors::{Errno, crashed};
use crate::handle::{SimDir, SimFile, need};
use crate::image::{Id, Inode};
use crate::journal::Scope;
use crate::random::mix;
use crate::sim::{Intent, Sim};
use crate::state::{Open, readable, writable};
use crate::transfer::{check_direct, read, write};

impl Files for Sim {
    type File = SimFile;
    type Dir = SimDir;

    fn open(&self, path: &Path, access: Access) -> io::Result<SimFile> {
        let mut state = self.call(Operation::Open, path)?;
        let id = state.live.lookup(path)?;
        let kind = state.inode(id)?.kind;
        match kind {
            _ if access == Access::Inspect => {}
            Kind::Symlink => return Err(Errno::Loop.into()),
            Kind::Directory if writable(access) => return Err(Errno::IsDirectory.into()),
            // The kernel would wait for the lease to be given back.
            _ if state.leases.contains_key(&id) => {
                state.awaited.insert(id);
                return Err(Errno::Again.into());
            }
            _ => {}
        }
        Ok(self.opened(&mut state, id, access, path))
    }

    fn create(&self, path: &Path, direct: bool) -> io::Result<SimFile> {
        let mut state = self.call(Operation::Create, path)?;
        let id = state.make(path, Kind::File, 0o600)?;
        let access = if direct { Access::WriteDirect } else { Access::Write };
        Ok(self.opened(&mut state, id, access, path))
    }

    fn open_dir(&self, path: &Path) -> io::Result<SimDir> {
        let state = self.call(Operation::List, path)?;
        let id = state.live.lookup(path)?;
        match state.inode(id)?.kind {
            Kind::Directory => {}
            Kind::Symlink => return Err(Errno::Loop.into()),
            _ => return Err(Errno::NotDirectory.into()),
        }
        Ok(SimDir { boot: state.boot, id, path: path.into(), after: None })
    }

    fn next_entries(
        &self,
        dir: &mut SimDir,
        max: usize,
        out: &mut Vec<DirEntry>,
    ) -> io::Result<()> {
        let state = self.call(Operation::List, &dir.path)?;
        self.check(&state, dir.boot)?;
        let Some(inode) = state.live.inode(dir.id) else { return Ok(()) };
        let mut left: Vec<((u64, OsString), Id)> = inode
            .entries
            .iter()
            .map(|(name, id)| ((order(name), name.clone()), *id))
            .filter(|(key, _)| dir.after.as_ref().is_none_or(|after| key > after))
            .collect();
        left.sort();
        for (key, id) in left.into_iter().take(max) {
            let child = state.inode(id)?;
            let kind = state.options.entry_kinds.then_some(child.kind);
            out.push(DirEntry { name: key.1.clone(), inode: child.number, kind });
            dir.after = Some(key);
        }
        Ok(())
    }

    fn stat(&self, file: &SimFile) -> io::Result<Stat> {
        let state = self.on(Operation::Stat, file)?;
        state.inode(file.open.id).map(Inode::stat)
    }

    fn read_link(&self, file: &SimFile) -> io::Result<Vec<u8>> {
        let state = self.on(Operation::Stat, file)?;
        let inode = state.inode(file.open.id)?;
        if inode.kind == Kind::Symlink {
            Ok(inode.target.clone())
        } else {
            Err(Errno::Invalid.into())
        }
    }

    fn xattrs(&self, file: &SimFile) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let state = self.on(Operation::ReadAttribute, file)?;
        let inode = state.inode(file.open.id)?;
        Ok(inode.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn attribute(&self, file: &SimFile) -> io::Result<Option<Vec<u8>>> {
        let state = self.on(Operation::ReadAttribute, file)?;
        Ok(state.inode(file.open.id)?.attribute.clone())
    }

    fn set_attribute(&self, file: &SimFile, value: &[u8]) -> io::Result<()> {
        let mut state = self.on(Operation::WriteAttribute, file)?;
        let (id, value, time) = (file.open.id, Some(value.to_vec()), state.tick());
        state.record(Change::Attribute { id, value, time });
        Ok(())
    }

    fn set_attribute_if(&self, file: &SimFile, there: bool, value: &[u8]) -> io::Result<bool> {
        let mut state = self.on(Operation::WriteAttribute, file)?;
        let (id, value) = (file.open.id, Some(value.to_vec()));
        let fits = state.inode(id)?.attribute.is_some() == there;
        if fits {
            let time = state.tick();
            state.record(Change::Attribute { id, value, time });
        }
        Ok(fits)
    }

    fn remove_attribute(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::WriteAttribute, file)?;
        if state.inode(file.open.id)?.attribute.is_some() {
            let time = state.tick();
            state.record(Change::Attribute { id: file.open.id, value: None, time });
        }
        Ok(())
    }

    fn next_data(&self, file: &SimFile, from: u64) -> io::Result<Option<Range>> {
        let state = self.on(Operation::MapExtents, file)?;
        need(readable(file.open.access))?;
        Ok(state.inode(file.open.id)?.next_data(from))
    }

    fn read_at(&self, file: &SimFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let range = Range::new(at, at + buffer.len() as u64);
        let result = self.on_range(Operation::Read, file, Some(range)).and_then(|state| {
            check_direct(&state, file.open, at, buffer)?;
            read(&state, file.open, buffer, at)
        });
        if result.is_err() {
            // What a failed read leaves is not data.
            buffer.fill(0xee);
        }
        result
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], at: u64) -> io::Result<()> {
        let range = Some(Range::new(at, at + bytes.len() as u64));
        let intent = Intent {
            operation: Operation::Write,
            path: &file.path,
            id: Some(file.open.id),
            range,
            ring: false,
        };
        if self.crashed() {
            return Err(crashed());
        }
        let (mut state, verdict) = self.begin(intent);
        self.check(&state, file.boot)?;
        check_direct(&state, file.open, at, bytes)?;
        write(&mut state, verdict, file.open, bytes, at)
    }

    fn allocate(&self, file: &SimFile, range: Range) -> io::Result<()> {
        let mut state = self.on_range(Operation::Allocate, file, Some(range))?;
        need(writable(file.open.access))?;
        if range.is_empty() {
            return Ok(());
        }
        let times = state.times(file.open.access);
        state.reserve(file.open.id, range, times, true)
    }

    fn punch(&self, file: &SimFile, range: Range) -> io::Result<()> {
        let mut state = self.on_range(Operation::Punch, file, Some(range))?;
        need(writable(file.open.access))?;
        if range.is_empty() {
            return Ok(());
        }
        let times = state.times(file.open.access);
        state.record(Change::Punch { id: file.open.id, range, times });
        Ok(())
    }

    fn truncate(&self, file: &SimFile, size: u64) -> io::Result<()> {
        let mut state = self.on(Operation::Truncate, file)?;
        need(writable(file.open.access))?;
        let times = state.times(file.open.access);
        state.record(Change::Truncate { id: file.open.id, size, times });
        Ok(())
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::Flush, file)?;
        need(readable(file.open.access))?;
        state.flush(Scope::File(file.open.id));
        Ok(())
    }

    fn sync_fs(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::FlushFileSystem, file)?;
        need(readable(file.open.access))?;
        state.flush(Scope::All);
        Ok(())
    }

    fn lease(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::Lease, file)?;
        need(readable(file.open.access))?;
        let id = file.open.id;
        let other = |(handle, open): (&u64, &Open)| {
            *handle != file.handle && open.id == id && readable(open.access)
        };
        if state.handles.iter().any(other) {
            return Err(Errno::Again.into());
        }
        state.leases.insert(id, file.handle);
        Ok(())
    }

    fn has_lease(&self, file: &SimFile) -> io::Result<()> {
        let state = self.on(Operation::Lease, file)?;
        let held = state.leases.get(&file.open.id) == Some(&file.handle);
        if held && !state.awaited.contains(&file.open.id) {
            Ok(())
        } else {
            Err(Errno::Again.into())
        }
    }

    fn has_writer(&self, file: &SimFile) -> io::Result<bool> {
        let state = self.on(Operation::Lease, file)?;
        let writes = |open: &Open| open.id == file.open.id && writable(open.access);
        Ok(state.handles.values().any(writes))
    }

    fn unlease(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::Lease, file)?;
        if state.leases.get(&file.open.id) != Some(&file.handle) {
            return Err(Errno::Again.into());
        }
        state.leases.remove(&file.open.id);
        state.awaited.remove(&file.open.id);
        Ok(())
    }

    fn set_modified(&self, file: &SimFile, time: Time) -> io::Result<()> {
        let mut state = self.on(Operation::SetMetadata, file)?;
        let changed = state.times(file.open.access).changed;
        let times = Times { modified: Some(time), changed };
        state.record(Change::SetTimes { id: file.open.id, times });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename, from)?.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::Unlink, path)?.unlink(path, false)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call(Operation::Flush, path)?;
        let id = state.live.lookup(path)?;
        if state.inode(id)?.kind != Kind::Directory {
            return Err(Errno::NotDirectory.into());
        }
        state.flush(Scope::Names);
        Ok(())
    }

    fn lock(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.on(Operation::Lock, file)?;
        need(readable(file.open.access))?;
        let holder = *state.locks.entry(file.open.id).or_insert(file.handle);
        if holder == file.handle { Ok(()) } else { Err(Errno::Again.into()) }
    }

    fn now(&self) -> Time {
        self.state().now_coarse()
    }

    fn now_fine(&self) -> Time {
        self.state().now()
    }
}

fn order(name: &OsString) -> u64 {
    name.as_encoded_bytes().iter().fold(0, |hash, byte| mix(hash ^ u64::from(*byte)))
}
