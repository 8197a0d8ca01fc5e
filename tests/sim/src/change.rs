//! The changes that a disk can undergo. Replaying them in order on an older image gives the newer
//! one, which is how an image after a crash is made.

use std::ffi::OsString;
use std::sync::Arc;

use dray_io::limits::BLOCK;
use dray_io::{Kind, Range, Time};

use crate::image::{Id, Image, Inode, SECTOR, pieces};

/// The times that a change leaves on its inode; `None` leaves one alone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) modified: Option<Time>,
    pub(crate) changed: Option<Time>,
}

/// A name in a directory.
pub(crate) type Place = (Id, OsString);

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create {
        place: Place,
        id: Id,
        inode: Arc<Inode>,
    },
    Link {
        place: Place,
        id: Id,
        time: Time,
    },
    Rename {
        from: Place,
        to: Place,
        time: Time,
    },
    Unlink {
        place: Place,
        time: Time,
    },
    Attribute {
        id: Id,
        value: Option<Vec<u8>>,
        time: Time,
    },
    Xattr {
        id: Id,
        name: Vec<u8>,
        value: Option<Vec<u8>>,
        time: Time,
    },
    SetTimes {
        id: Id,
        times: Times,
    },
    /// Gives every block in `blocks` a place on disk, unwritten, and the file at least `size`.
    Reserve {
        id: Id,
        blocks: std::ops::Range<u64>,
        stamp: u64,
        size: u64,
        times: Times,
    },
    Punch {
        id: Id,
        range: Range,
        times: Times,
    },
    Truncate {
        id: Id,
        size: u64,
        times: Times,
    },
    /// The only change that is not metadata. `stamps` has one allocation per block touched.
    Data {
        id: Id,
        at: u64,
        bytes: Arc<[u8]>,
        stamps: Vec<u64>,
    },
}

impl Change {
    pub(crate) fn is_data(&self) -> bool {
        matches!(self, Self::Data { .. })
    }

    /// The inode it is about, to name it in reports.
    pub(crate) fn subject(&self) -> Id {
        match self {
            Self::Create { id, .. }
            | Self::Link { id, .. }
            | Self::Attribute { id, .. }
            | Self::Xattr { id, .. }
            | Self::SetTimes { id, .. }
            | Self::Reserve { id, .. }
            | Self::Punch { id, .. }
            | Self::Truncate { id, .. }
            | Self::Data { id, .. } => *id,
            Self::Rename { to: place, .. } | Self::Unlink { place, .. } => place.0,
        }
    }
}

impl Image {
    /// Does nothing where the inode is gone: the last name was removed earlier in the journal.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { place, id, inode } => {
                self.insert(*id, Arc::clone(inode));
                self.enter(place, *id, inode.born);
            }
            Change::Link { place, id, time } => {
                self.enter(place, *id, *time);
                self.relink(*id, 1, *time);
            }
            Change::Rename { from, to, time } => self.rename(from, to, *time),
            Change::Unlink { place, time } => {
                if let Some(id) = self.leave(place, *time) {
                    self.relink(id, -1, *time);
                }
            }
            Change::Data { .. } => self.write(change, |_| true),
            Change::Attribute { id, .. }
            | Change::Xattr { id, .. }
            | Change::SetTimes { id, .. }
            | Change::Reserve { id, .. }
            | Change::Punch { id, .. }
            | Change::Truncate { id, .. } => {
                if let Some(inode) = self.inode_mut(*id) {
                    inode.apply(change);
                }
            }
        }
    }

    /// Writes the sectors that `keep` says have reached the disk.
    pub(crate) fn write(&mut self, change: &Change, mut keep: impl FnMut(u64) -> bool) {
        let Change::Data { id, at, bytes, stamps } = change else {
            panic!("only data is written");
        };
        let Some(inode) = self.inode_mut(*id) else { return };
        for ((index, inside), stamp) in pieces(*at, bytes.len()).zip(stamps) {
            let Some(block) = inode.blocks.get_mut(&index) else { continue };
            if block.stamp != *stamp {
                continue;
            }
            let mut at_byte = inside.start;
            while at_byte < inside.end {
                let sector = index * BLOCK + at_byte as u64;
                let stop = (at_byte + 1).next_multiple_of(SECTOR as usize).min(inside.end);
                if keep(sector / SECTOR) {
                    let data = block.data.get_or_insert_with(|| Arc::new([0; BLOCK as usize]));
                    let source = &bytes[(sector - at) as usize..][..stop - at_byte];
                    Arc::make_mut(data)[at_byte..stop].copy_from_slice(source);
                }
                at_byte = stop;
            }
        }
    }

    fn enter(&mut self, place: &Place, id: Id, time: Time) {
        let dir = self.inode_mut(place.0).expect("a name is entered only into a directory there");
        let before = dir.entries.insert(place.1.clone(), id);
        assert!(before.is_none(), "a name is entered once");
        (dir.modified, dir.changed) = (time, time);
    }

    fn leave(&mut self, place: &Place, time: Time) -> Option<Id> {
        let dir = self.inode_mut(place.0)?;
        (dir.modified, dir.changed) = (time, time);
        dir.entries.remove(&place.1)
    }

    fn relink(&mut self, id: Id, by: i32, time: Time) {
        let inode = self.inode_mut(id).expect("an inode with a name exists");
        inode.links = inode.links.checked_add_signed(by).expect("links are counted");
        inode.changed = time;
    }

    fn rename(&mut self, from: &Place, to: &Place, time: Time) {
        let id = self.leave(from, time).expect("what is renamed exists");
        if let Some(replaced) = self.leave(to, time) {
            self.relink(replaced, -1, time);
        }
        self.enter(to, id, time);
        self.relink(id, 0, time);
    }
}

impl Inode {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Attribute { value, time, .. } => {
                self.attribute.clone_from(value);
                self.changed = *time;
            }
            Change::Xattr { name, value, time, .. } => {
                match value {
                    Some(value) => self.xattrs.insert(name.clone(), value.clone()),
                    None => self.xattrs.remove(name),
                };
                self.changed = *time;
            }
            Change::SetTimes { times, .. } => self.stamp(*times),
            Change::Reserve { blocks, stamp, size, times, .. } => {
                for index in blocks.clone() {
                    let stamp = stamp + (index - blocks.start);
                    self.blocks.entry(index).or_insert(crate::image::Block { stamp, data: None });
                }
                self.size = self.size.max(*size);
                self.stamp(*times);
            }
            Change::Punch { range, times, .. } => {
                self.punch(*range);
                self.stamp(*times);
            }
            Change::Truncate { size, times, .. } => {
                self.blocks.split_off(&size.div_ceil(BLOCK));
                self.size = *size;
                if !size.is_multiple_of(BLOCK) {
                    self.trim_tail();
                }
                self.stamp(*times);
            }
            _ => unreachable!("not a change of one inode's metadata"),
        }
        debug_assert!(self.kind != Kind::Symlink || self.blocks.is_empty());
    }

    /// As ext4: whole blocks are freed, the rest is zeroed, and a range that runs past the end of
    /// the file takes its last block whole.
    fn punch(&mut self, range: Range) {
        let end = if range.end > self.size { self.size.next_multiple_of(BLOCK) } else { range.end };
        if range.start >= end {
            return;
        }
        let (first, last) = (range.start.div_ceil(BLOCK), end / BLOCK);
        if first < last {
            let mut after = self.blocks.split_off(&first);
            self.blocks.append(&mut after.split_off(&last));
        }
        self.zero(Range::new(range.start, end));
    }

    fn stamp(&mut self, times: Times) {
        self.modified = times.modified.unwrap_or(self.modified);
        self.changed = times.changed.unwrap_or(self.changed);
    }
}
