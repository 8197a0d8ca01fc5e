//! Requests: what was asked for, and how it stands.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use dray_wire::messages::{Item, KIND_LINK, RequestInfo};
use dray_wire::{Class, FileHandle, Name, NodeId, Reason, RequestId, SessionId, Status, Verb};
use foldhash::fast::FixedState;

use crate::duplicates::Duplicates;
use crate::limits::ENDED_KEPT;
use crate::machine::{REQUEST, may_follow};
use crate::placement::Region;
use crate::slab::{Key, Slab};

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// Among its flags: it is in the journal. No submission has it.
const KEPT: u16 = 1 << 15;

/// One file to be moved. Some 180 bytes: there may be millions.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) handle: FileHandle,
    pub(crate) size: u64,
    pub(crate) region: Region,
    pub(crate) place: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) name: Name,
    /// Moved.
    pub(crate) bytes: u64,
    pub(crate) submitted_ns: u64,
    /// What its class had taken in before; once it has ended, when.
    pub(crate) ticket: u64,
    pub(crate) session: u32,
    /// Of the session's place, which another may have by now if this one has ended.
    session_generation: u32,
    pub(crate) connection: u32,
    pub(crate) tenant: u32,
    pub(crate) deadline_ms: u32,
    /// Neighbours in the list that it is in: of a bucket, of followers, of those behind another.
    pub(crate) next: u32,
    pub(crate) previous: u32,
    /// The bucket, while it is in one.
    pub(crate) bucket: u32,
    /// The order, while it is in one; the request that it follows or waits behind.
    pub(crate) of: u32,
    /// First of those that are answered with it.
    pub(crate) followers: u32,
    /// First of those that move the same file afterwards.
    pub(crate) behind: u32,
    pub(crate) node: NodeId,
    flags: u16,
    pub(crate) reason: Reason,
    pub(crate) class: Class,
    pub(crate) verb: Verb,
    status: Status,
    pub(crate) kind: u8,
    pub(crate) tries: u8,
    /// Asked to be while it moved.
    pub(crate) cancelled: bool,
    /// How often it has rested.
    pub(crate) rests: u8,
    pub(crate) place_in: Where,
}

/// What a request that has not ended is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Nowhere,
    Bucket,
    /// Answered with another.
    Following,
    /// Another moves the file.
    Behind,
    /// Waits for a right.
    Asking,
    Order,
    Split,
    /// Tried again at its time.
    Resting,
}

impl Request {
    fn new(asker: &Asker, item: Item) -> Self {
        let (region, place) = region_of(&item);
        Self {
            handle: item.handle,
            size: item.size,
            region,
            place,
            offset: item.offset,
            length: item.length,
            name: item.name,
            bytes: 0,
            submitted_ns: asker.now_ns,
            ticket: 0,
            session: asker.session.index,
            session_generation: asker.session.generation,
            connection: asker.connection,
            tenant: asker.tenant,
            deadline_ms: asker.deadline_ms,
            next: NONE,
            previous: NONE,
            bucket: NONE,
            of: NONE,
            followers: NONE,
            behind: NONE,
            node: NodeId::NONE,
            flags: if asker.kept { asker.flags | KEPT } else { asker.flags },
            reason: Reason::NONE,
            class: asker.class,
            verb: asker.verb,
            status: Status::QUEUED,
            kind: item.kind,
            tries: 0,
            cancelled: false,
            rests: 0,
            place_in: Where::Nowhere,
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// As they were submitted.
    pub(crate) fn flags(&self) -> u16 {
        self.flags & !KEPT
    }

    /// Whether it is in the journal.
    pub(crate) fn is_kept(&self) -> bool {
        self.flags & KEPT != 0
    }

    fn movement(&self) -> Movement {
        (self.handle, self.verb, (self.offset, self.length))
    }

    pub(crate) fn session_key(&self) -> Key {
        Key { index: self.session, generation: self.session_generation }
    }

    /// What it counts for in the service of its session.
    pub(crate) fn cost(&self) -> u64 {
        let bytes = if self.length > 0 { self.length.min(self.size) } else { self.size };
        bytes.saturating_add(crate::limits::FILE_COST)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) slab: Slab<Request>,
    /// Queued requests by what they move.
    duplicates: Duplicates,
    ended: VecDeque<Key>,
    /// Requests that have not ended.
    pub(crate) open: usize,
}

/// What a request moves, and how.
type Movement = (FileHandle, Verb, (u64, u64));

/// Inodes that are neighbours have hashes that are.
fn hash((handle, verb, range): Movement) -> u32 {
    let together = FileHandle { inode: handle.inode >> 4, ..handle };
    let mixed = FixedState::with_seed(1).hash_one((together, verb, range)) as u32;
    mixed << 4 | (handle.inode & 15) as u32
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    pub(crate) reason: Reason,
    /// Moved.
    pub(crate) bytes: u64,
}

/// What is common to the items of a submission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) session: Key,
    pub(crate) connection: u32,
    pub(crate) tenant: u32,
    pub(crate) deadline_ms: u32,
    pub(crate) class: Class,
    pub(crate) verb: Verb,
    pub(crate) flags: u16,
    /// It is in the journal.
    pub(crate) kept: bool,
    pub(crate) now_ns: u64,
}

/// Inodes that are taken for neighbours where nothing better is known: some groups of them.
const INODES_TOGETHER_SHIFT: u32 = 14;

/// Where the data of an item is. Who does not know says 0 and 0; then neighbouring inodes are
/// taken for neighbours on the LUN.
fn region_of(item: &Item) -> (Region, u64) {
    if item.lun != 0 || item.place != 0 {
        return (Region::of(item.lun, item.place), item.place);
    }
    let lun = FixedState::with_seed(2).hash_one(item.handle.file_system);
    let number = item.handle.inode >> INODES_TOGETHER_SHIFT;
    (Region { lun, number }, item.handle.inode)
}

impl Requests {
    pub(crate) fn insert(&mut self, asker: &Asker, item: Item) -> u32 {
        self.open += 1;
        self.slab.insert(Request::new(asker, item)).index
    }

    /// One that was accepted before a restart.
    pub(crate) fn insert_at(&mut self, key: Key, asker: &Asker, item: Item) {
        self.open += 1;
        self.slab.insert_at(key, Request::new(asker, item));
    }

    /// Requests that others may follow.
    pub(crate) fn leaders(&self) -> usize {
        self.duplicates.len()
    }

    pub(crate) fn id(&self, index: u32) -> RequestId {
        RequestId(self.slab.key(index).id())
    }

    //= docs/wire.md#w-51
    pub(crate) fn set_status(&mut self, index: u32, to: Status) {
        let request = &mut self.slab[index];
        let from = request.status;
        if from != to {
            let words = (from.word().unwrap_or(""), to.word().unwrap_or(""));
            assert!(may_follow(REQUEST, words.0, words.1), "a request from {from} to {to}");
            request.status = to;
        }
    }

    /// A queued request that moves the same, if there is one; else this one is that from now on.
    //= docs/wire.md#w-52
    pub(crate) fn same(&mut self, index: u32) -> Option<u32> {
        let Self { slab, duplicates, .. } = self;
        let own = &slab[index];
        let key = own.movement();
        duplicates.find_or_insert(hash(key), index, |other| {
            let other = &slab[other];
            // Further names of a file are alike in all but themselves.
            let named = own.kind != KIND_LINK && other.kind != KIND_LINK;
            other.movement() == key && (named || (own.kind, &own.name) == (other.kind, &other.name))
        })
    }

    /// A request is queued no more, or another stands for it now.
    pub(crate) fn not_same(&mut self, index: u32, instead: Option<u32>) {
        let key = self.slab[index].movement();
        self.duplicates.replace(hash(key), index, instead);
    }

    /// Puts a request at the front of a list whose first is `first`; the new first.
    pub(crate) fn link(&mut self, first: u32, index: u32) -> u32 {
        let request = &mut self.slab[index];
        (request.next, request.previous) = (first, NONE);
        if first != NONE {
            self.slab[first].previous = index;
        }
        index
    }

    /// Takes a request out of the list that it is in; its neighbours.
    pub(crate) fn unlink(&mut self, index: u32) -> (u32, u32) {
        let request = &mut self.slab[index];
        let (previous, next) = (request.previous, request.next);
        (request.previous, request.next) = (NONE, NONE);
        if previous != NONE {
            self.slab[previous].next = next;
        }
        if next != NONE {
            self.slab[next].previous = previous;
        }
        (previous, next)
    }

    /// A request has ended; the oldest that had before is forgotten.
    pub(crate) fn end(&mut self, index: u32, now_ns: u64) {
        self.slab[index].ticket = now_ns;
        self.slab[index].place_in = Where::Nowhere;
        self.open -= 1;
        self.ended.push_back(self.slab.key(index));
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.pop_front()
            && self.slab.find(oldest.id()).is_some()
        {
            self.slab.remove(oldest.index);
        }
    }

    /// It had ended before a restart; false if that is known.
    pub(crate) fn restore_ended(&mut self, index: u32, ended: Ended, now_ns: u64) -> bool {
        let request = &mut self.slab[index];
        if request.status.is_final() {
            return false;
        }
        (request.status, request.reason, request.bytes) = (ended.status, ended.reason, ended.bytes);
        self.end(index, now_ns);
        true
    }

    pub(crate) fn info(&self, index: u32, session: SessionId, now_ns: u64) -> RequestInfo {
        let request = &self.slab[index];
        let until = if request.status.is_final() { request.ticket } else { now_ns };
        let waited = until.saturating_sub(request.submitted_ns) / 1_000_000;
        RequestInfo {
            request: self.id(index),
            session,
            handle: request.handle,
            bytes: request.bytes,
            size: request.size,
            class: request.class,
            verb: request.verb,
            status: request.status,
            reason: request.reason,
            node: request.node,
            waited_ms: u32::try_from(waited).unwrap_or(u32::MAX),
            name: request.name.clone(),
            ..RequestInfo::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_small() {
        assert!(size_of::<Request>() <= 192, "{}", size_of::<Request>());
    }
}
