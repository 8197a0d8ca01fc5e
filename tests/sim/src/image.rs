//! What a disk holds at one moment: inodes, names and blocks.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};
use std::sync::Arc;

use dray_io::limits::BLOCK;
use dray_io::{Handle, Kind, Range, Stat, Time};

use crate::errors::Errno;

/// Names an inode for the whole run; inode numbers are used again, these are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) u64);

pub(crate) const ROOT: Id = Id(0);
pub(crate) const SECTOR: u64 = 512;

pub(crate) type Bytes = [u8; BLOCK as usize];

/// A block on disk. `stamp` names this allocation: data written to an earlier allocation of the
/// same place in the file went to another place on the device.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) stamp: u64,
    /// `None` while unwritten: reads as zeros and is a hole to `SEEK_DATA`.
    pub(crate) data: Option<Arc<Bytes>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Inode {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    pub(crate) generation: u32,
    pub(crate) mode: u32,
    pub(crate) links: u32,
    pub(crate) size: u64,
    pub(crate) modified: Time,
    pub(crate) changed: Time,
    pub(crate) born: Time,
    pub(crate) attribute: Option<Vec<u8>>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) blocks: BTreeMap<u64, Block>,
    /// Of a directory.
    pub(crate) entries: BTreeMap<OsString, Id>,
    /// Of a symbolic link.
    pub(crate) target: Vec<u8>,
}

impl Inode {
    pub(crate) fn new(kind: Kind, number: u64, generation: u32, mode: u32, now: Time) -> Self {
        Self {
            kind,
            number,
            generation,
            mode,
            links: 1,
            size: 0,
            modified: now,
            changed: now,
            born: now,
            attribute: None,
            xattrs: BTreeMap::new(),
            blocks: BTreeMap::new(),
            entries: BTreeMap::new(),
            target: Vec::new(),
        }
    }

    pub(crate) fn stat(&self) -> Stat {
        let mut file_system = [0; 16];
        file_system[..8].copy_from_slice(b"dray-sim");
        Stat {
            kind: self.kind,
            handle: Handle { file_system, inode: self.number, generation: self.generation },
            mode: self.mode,
            uid: 1000,
            gid: 1000,
            links: self.links,
            size: if self.kind == Kind::Symlink { self.target.len() as u64 } else { self.size },
            allocated: self.blocks.len() as u64 * BLOCK,
            rdev: 0,
            accessed: self.born,
            modified: self.modified,
            changed: self.changed,
            born: self.born,
        }
    }

    /// Bytes read: fewer than asked only at the end of the file.
    pub(crate) fn read(&self, buffer: &mut [u8], at: u64) -> usize {
        let end = self.size.min(at.saturating_add(buffer.len() as u64));
        let buffer = &mut buffer[..end.saturating_sub(at) as usize];
        buffer.fill(0);
        for (index, inside) in pieces(at, buffer.len()) {
            if let Some(data) = self.blocks.get(&index).and_then(|block| block.data.as_ref()) {
                let start = index * BLOCK + inside.start as u64 - at;
                buffer[start as usize..][..inside.len()].copy_from_slice(&data[inside]);
            }
        }
        buffer.len()
    }

    pub(crate) fn next_data(&self, from: u64) -> Option<Range> {
        let mut found: Option<Range> = None;
        for (&index, block) in self.blocks.range(from / BLOCK..) {
            let start = index * BLOCK;
            match &mut found {
                _ if block.data.is_none() => {
                    if found.is_some() {
                        break;
                    }
                }
                Some(range) if range.end == start => range.end = start + BLOCK,
                Some(_) => break,
                None => found = Some(Range::new(start, start + BLOCK)),
            }
        }
        found?.intersect(Range::new(from, self.size.max(from)))
    }

    /// Overwrites with zeros what is written within `range`.
    pub(crate) fn zero(&mut self, range: Range) {
        for (index, inside) in pieces(range.start, range.len() as usize) {
            if let Some(data) = self.blocks.get_mut(&index).and_then(|block| block.data.as_mut()) {
                Arc::make_mut(data)[inside].fill(0);
            }
        }
    }

    /// Clears what lies past the end of the file in its last block.
    pub(crate) fn trim_tail(&mut self) {
        if let Some(data) = self.blocks.get_mut(&(self.size / BLOCK)).and_then(|b| b.data.as_mut())
        {
            let tail = (self.size % BLOCK) as usize;
            if data[tail..].iter().any(|byte| *byte != 0) {
                Arc::make_mut(data)[tail..].fill(0);
            }
        }
    }
}

/// The stretch `at..at + len` block by block: index, and the bytes within that block.
pub(crate) fn pieces(at: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let end = at + len as u64;
    let last = if len == 0 { at / BLOCK } else { end.div_ceil(BLOCK) };
    (at / BLOCK..last).map(move |index| {
        let start = at.max(index * BLOCK) - index * BLOCK;
        let stop = end.min((index + 1) * BLOCK) - index * BLOCK;
        (index, start as usize..stop as usize)
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Image(BTreeMap<Id, Arc<Inode>>);

impl Image {
    pub(crate) fn new(now: Time) -> Self {
        let root = Inode::new(Kind::Directory, 2, 0, 0o755, now);
        Self(BTreeMap::from([(ROOT, Arc::new(root))]))
    }

    pub(crate) fn inode(&self, id: Id) -> Option<&Inode> {
        self.0.get(&id).map(Arc::as_ref)
    }

    pub(crate) fn inode_mut(&mut self, id: Id) -> Option<&mut Inode> {
        self.0.get_mut(&id).map(Arc::make_mut)
    }

    pub(crate) fn insert(&mut self, id: Id, inode: Arc<Inode>) {
        let before = self.0.insert(id, inode);
        assert!(before.is_none(), "an inode is made once");
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Arc<Inode>> {
        self.0.remove(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Inode)> {
        self.0.iter().map(|(id, inode)| (*id, inode.as_ref()))
    }

    /// As after a mount: no inode without a name, nothing past the end of a file.
    pub(crate) fn recover(&mut self) {
        self.0.retain(|_, inode| inode.links > 0);
        for inode in self.0.values_mut() {
            if inode.kind == Kind::File && !inode.size.is_multiple_of(BLOCK) {
                Arc::make_mut(inode).trim_tail();
            }
        }
    }

    pub(crate) fn blocks_used(&self) -> u64 {
        self.0.values().map(|inode| inode.blocks.len() as u64).sum()
    }

    pub(crate) fn child(&self, dir: Id, name: &OsStr) -> Result<Option<Id>, Errno> {
        let inode = self.inode(dir).ok_or(Errno::NotFound)?;
        match inode.kind {
            Kind::Directory => Ok(inode.entries.get(name).copied()),
            Kind::Symlink => Err(Errno::Loop),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(crate) fn lookup(&self, path: &Path) -> Result<Id, Errno> {
        let mut at = ROOT;
        for part in path.components() {
            at = match part {
                Component::RootDir | Component::CurDir => at,
                Component::Normal(name) => self.child(at, name)?.ok_or(Errno::NotFound)?,
                Component::ParentDir | Component::Prefix(_) => return Err(Errno::Invalid),
            };
        }
        Ok(at)
    }

    /// The directory that `path` is in, and its last name.
    pub(crate) fn parent<'path>(&self, path: &'path Path) -> Result<(Id, &'path OsStr), Errno> {
        let name = path.file_name().ok_or(Errno::Invalid)?;
        let dir = self.lookup(path.parent().ok_or(Errno::Invalid)?)?;
        self.child(dir, name)?;
        Ok((dir, name))
    }
}
