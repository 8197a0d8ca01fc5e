//! Sessions: their names, shares, events and dispositions.

use std::collections::{BTreeMap, VecDeque};

use dray_wire::limits::INFO_MAX;
use dray_wire::messages::{Event, SessionInfo};
use dray_wire::{Bytes, Epoch, EventType, SessionId, Token};

use crate::slab::Slab;
use crate::timers::Due;

/// A connection that waits for events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) connection: u32,
    pub(crate) request: u64,
    pub(crate) limit: u32,
    pub(crate) until_ns: u64,
}

impl Reader {
    pub(crate) fn due(&self, session: u32) -> Due {
        Due::Reader { session, connection: self.connection, request: self.request }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Its first id, which stays the same.
    pub(crate) root: SessionId,
    pub(crate) share: u32,
    pub(crate) info: Bytes<INFO_MAX>,
    /// Events that nobody has fetched.
    pub(crate) undelivered: VecDeque<Event>,
    /// Tokens of events that were fetched and not responded to.
    pub(crate) outstanding: BTreeMap<Token, ()>,
    pub(crate) readers: VecDeque<Reader>,
    /// Requests not yet ended.
    pub(crate) requests: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) slab: Slab<Session>,
    ids: BTreeMap<SessionId, u32>,
    /// Which session gets which events of which file system.
    dispositions: BTreeMap<([u8; 16], EventType), u32>,
    last: u64,
}

/// Sessions of an epoch begin here.
fn first_of(epoch: Epoch) -> u64 {
    epoch.0 << 32
}

impl Sessions {
    fn next_id(&mut self, epoch: Epoch) -> SessionId {
        self.last = self.last.max(first_of(epoch)) + 1;
        SessionId(self.last)
    }

    pub(crate) fn create(&mut self, epoch: Epoch, share: u32, info: Bytes<INFO_MAX>) -> SessionId {
        let id = self.next_id(epoch);
        let session = Session { id, root: id, share, info, ..Session::default() };
        let index = self.slab.insert(session).index;
        self.ids.insert(id, index);
        id
    }

    /// One that was there before a restart.
    pub(crate) fn add(&mut self, root: SessionId) -> u32 {
        let session = Session { id: root, root, ..Session::default() };
        let index = self.slab.insert(session).index;
        self.ids.insert(root, index);
        index
    }

    /// Gives a session the id that it had before a restart.
    pub(crate) fn rename(&mut self, index: u32, id: SessionId) {
        self.ids.remove(&self.slab[index].id);
        self.slab[index].id = id;
        self.ids.insert(id, index);
        self.last = self.last.max(id.0);
    }

    /// Gives a session a new id and information string; all else stays with it.
    //= docs/wire.md#w-20
    pub(crate) fn assume(
        &mut self,
        epoch: Epoch,
        old: SessionId,
        info: Bytes<INFO_MAX>,
    ) -> Option<SessionId> {
        let index = self.ids.remove(&old)?;
        let id = self.next_id(epoch);
        self.ids.insert(id, index);
        let session = &mut self.slab[index];
        (session.id, session.info) = (id, info);
        Some(id)
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<u32> {
        self.ids.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        if let Some(index) = self.ids.remove(&id) {
            self.slab.remove(index);
            self.dispositions.retain(|_, session| *session != index);
        }
    }

    pub(crate) fn page(&self, after: SessionId, limit: usize) -> Vec<SessionInfo> {
        use std::ops::Bound::{Excluded, Unbounded};
        let range = self.ids.range((Excluded(after), Unbounded)).take(limit);
        range.map(|(_, index)| self.info(*index)).collect()
    }

    fn info(&self, index: u32) -> SessionInfo {
        let session = &self.slab[index];
        SessionInfo {
            session: session.id,
            share: session.share,
            outstanding: session.outstanding.len() as u32,
            undelivered: session.undelivered.len() as u32,
            queued: session.requests,
            info: session.info.clone(),
        }
    }

    //= docs/wire.md#w-30
    pub(crate) fn disposed(&self, file_system: [u8; 16], event: EventType) -> Option<u32> {
        self.dispositions.get(&(file_system, event)).copied()
    }

    /// `events` in bits; those not named are not the session's any more.
    pub(crate) fn dispose(&mut self, index: u32, file_system: [u8; 16], events: u32) {
        for event in EventType::ALL {
            let key = (file_system, *event);
            if event.bit().is_some_and(|bit| events & bit != 0) {
                self.dispositions.insert(key, index);
            } else if self.dispositions.get(&key) == Some(&index) {
                self.dispositions.remove(&key);
            }
        }
    }

    /// Who has dispositions for events of a file system.
    pub(crate) fn disposers(&self, file_system: [u8; 16]) -> Vec<u32> {
        let of_it = self.dispositions.iter().filter(|((own, _), _)| *own == file_system);
        let mut all: Vec<u32> = of_it.map(|(_, session)| *session).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn dispositions(&self, index: u32) -> Vec<([u8; 16], u32)> {
        let mut list: Vec<([u8; 16], u32)> = Vec::new();
        let own = self.dispositions.iter().filter(|(_, session)| **session == index);
        for ((file_system, event), _) in own {
            let bit = event.bit().unwrap_or(0);
            match list.last_mut() {
                Some((last, events)) if last == file_system => *events |= bit,
                _ => list.push((*file_system, bit)),
            }
        }
        list
    }
}
