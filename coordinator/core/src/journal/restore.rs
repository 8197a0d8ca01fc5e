//! A coordinator takes up what an earlier one promised.

use std::collections::{BTreeMap, BTreeSet};

use dray_wire::messages::Item;
use dray_wire::{FileHandle, Right, SessionId, Token};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::record::{BadBlock, Record, SubmittedHead, SubmittedItem, read_block};
use crate::bandwidth::Bandwidth;
use crate::coordinator::Coordinator;
use crate::limits::{CLASS_ZERO_GENERATIONS, DISPOSITION_WAIT_NS};
use crate::requests::{Asker, Ended};
use crate::slab::Key;
use crate::timers::Due;

/// What is read and not yet put in its place.
#[derive(Debug, Default)]
pub(crate) struct Restoring {
    /// Sessions by their first ids.
    roots: HashMap<SessionId, u32, FixedState>,
    /// Those whose record has not come yet, though one of their requests has.
    unseen: BTreeSet<SessionId>,
    /// Requests in no order, with their ages and generations.
    requests: Vec<(u64, Key)>,
    tokens: BTreeMap<Token, (SessionId, Record)>,
    rights: BTreeMap<Token, BTreeMap<FileHandle, Right>>,
    highest: u32,
}

impl Coordinator {
    /// Takes in a block that was kept, in the order of their numbers and before anything else.
    ///
    /// # Errors
    ///
    /// If the block is of another version, or damaged: then this coordinator is of no use.
    pub fn restore(&mut self, number: u64, block: &[u8]) -> Result<(), BadBlock> {
        let mut restoring = self.restoring.take().unwrap_or_default();
        let highest = read_block(block, |record| self.take_up(&mut restoring, record))?;
        restoring.highest = restoring.highest.max(highest);
        self.restoring = Some(restoring);
        self.journal.known(number, block.len() as u64);
        Ok(())
    }

    /// All is read. New blocks are numbered from `next`, or from behind those that were read.
    //= docs/journal.md#j-6
    pub fn restored(&mut self, now_ns: u64, next: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let mut restoring = self.restoring.take().unwrap_or_default();
        let unseen = std::mem::take(&mut restoring.unseen);
        for root in unseen {
            // Of a session that is gone only requests are left, which have ended.
            self.sessions.remove(root);
        }
        // Ids that were given out and not recorded are not given out again.
        let highest = restoring.highest.saturating_add(CLASS_ZERO_GENERATIONS);
        self.requests.slab.begin_above(highest);
        self.journal.go_on(next);
        restoring.requests.sort_unstable_by_key(|(age, _)| *age);
        if let Some((age, _)) = restoring.requests.last() {
            self.journal.accepted = age + 1;
        }
        for (_, key) in std::mem::take(&mut restoring.requests) {
            let is_it = self.requests.slab.key(key.index) == key;
            let open = self.requests.slab.get(key.index).filter(|it| !it.status().is_final());
            if is_it && open.is_some() {
                self.enqueue(key.index);
            }
        }
        self.restore_rights(restoring);
    }

    /// Rights come back with their tokens. Those of events that nobody raises again are given
    /// back after a while.
    fn restore_rights(&mut self, restoring: Restoring) {
        for (token, (root, record)) in restoring.tokens {
            if let (Some(session), Record::Token { data, .. }) =
                (restoring.roots.get(&root), record)
                && self.sessions.slab.get(*session).is_some()
            {
                self.restore_token(*session, token, data);
            }
        }
        let mut orphans = false;
        for (token, held) in restoring.rights {
            for (handle, right) in held {
                self.rights.request(handle, token, right, None);
                orphans |= self.events.restore_right(token, handle);
            }
        }
        if orphans {
            self.timers.set(self.now_ns + DISPOSITION_WAIT_NS, Due::Orphans);
        }
    }

    /// Gives back the rights of events that nobody has raised again.
    pub(crate) fn orphans_due(&mut self) {
        for (token, handles) in self.events.take_orphans() {
            for handle in handles {
                self.give_back(handle, token);
            }
            self.journal.put(&Record::TokenGone { token });
        }
    }

    fn take_up(&mut self, restoring: &mut Restoring, record: Record) {
        match record {
            Record::Session { .. } => self.take_up_session(restoring, record),
            Record::Destroyed { root } => {
                if let Some(index) = restoring.roots.remove(&root) {
                    self.file_systems.session_limits.remove(&index);
                    let id = self.sessions.slab[index].id;
                    self.sessions.remove(id);
                }
                restoring.unseen.remove(&root);
            }
            Record::Limit { file_system, rate } => {
                let index = self.file_systems.index(file_system);
                self.file_systems.limits.remove(&index);
                if rate > 0 {
                    let limit = Bandwidth::new(rate, self.now_ns);
                    self.file_systems.limits.insert(index, limit);
                }
            }
            Record::Token { root, token, .. } => {
                restoring.tokens.insert(token, (root, record));
            }
            Record::TokenGone { token } => {
                restoring.tokens.remove(&token);
                restoring.rights.remove(&token);
            }
            Record::Right { token, handle, right } => {
                let held = restoring.rights.entry(token).or_default();
                if right == Right::NULL {
                    held.remove(&handle);
                } else {
                    held.insert(handle, right);
                }
            }
            Record::Submitted(head, items) => self.take_up_submitted(restoring, head, items),
            Record::Ended { request, bytes, status, reason } => {
                let Some(index) = self.requests.slab.find(request.0) else { return };
                let session = self.requests.slab[index].session_key();
                let ended = Ended { status, reason, bytes };
                if self.requests.restore_ended(index, ended, self.now_ns)
                    && let Some(session) = self.sessions.slab.get_mut(session.index)
                {
                    session.requests -= 1;
                }
            }
        }
    }

    fn take_up_session(&mut self, restoring: &mut Restoring, record: Record) {
        let Record::Session { root, id, share, rate, info, dispositions } = record else { return };
        let index = self.root_of(restoring, root);
        restoring.unseen.remove(&root);
        self.sessions.rename(index, id);
        let session = &mut self.sessions.slab[index];
        (session.share, session.info) = (share, info);
        for (file_system, _) in self.sessions.dispositions(index) {
            self.sessions.dispose(index, file_system, 0);
        }
        for (file_system, events) in dispositions {
            self.sessions.dispose(index, file_system, events);
        }
        self.file_systems.session_limits.remove(&index);
        if rate > 0 {
            let limit = Bandwidth::new(rate, self.now_ns);
            self.file_systems.session_limits.insert(index, limit);
        }
    }

    /// The session with this first id, which may be known by its requests alone so far.
    fn root_of(&mut self, restoring: &mut Restoring, root: SessionId) -> u32 {
        if let Some(index) = restoring.roots.get(&root) {
            return *index;
        }
        let index = self.sessions.add(root);
        restoring.roots.insert(root, index);
        restoring.unseen.insert(root);
        index
    }

    fn take_up_submitted(
        &mut self,
        restoring: &mut Restoring,
        head: SubmittedHead,
        items: Vec<SubmittedItem>,
    ) {
        let session = self.root_of(restoring, head.root);
        let asker = Asker {
            session: self.sessions.slab.key(session),
            // Nobody: connections are numbered from 1.
            connection: 0,
            tenant: head.tenant,
            deadline_ms: head.deadline_ms,
            class: head.class,
            verb: head.verb,
            flags: head.flags,
            kept: true,
            now_ns: self.now_ns,
        };
        for SubmittedItem { request, age, item } in items {
            let key = Key::from_id(request.0);
            if self.take_up_request(key, &asker, item) {
                restoring.requests.push((age, key));
                restoring.highest = restoring.highest.max(key.generation);
                self.sessions.slab[session].requests += 1;
                self.restore_deadline(key);
            }
        }
    }

    /// False if it is known already, or if another has taken its place since.
    fn take_up_request(&mut self, key: Key, asker: &Asker, item: Item) -> bool {
        let there = self.requests.slab.key(key.index);
        if self.requests.slab.get(key.index).is_some() {
            if there.generation >= key.generation {
                return false;
            }
            // It had ended, and was forgotten.
            self.requests.slab.remove(key.index);
        }
        self.requests.insert_at(key, asker, item);
        true
    }

    fn restore_deadline(&mut self, key: Key) {
        let deadline_ms = self.requests.slab[key.index].deadline_ms;
        if deadline_ms > 0 {
            let due = self.now_ns + u64::from(deadline_ms) * 1_000_000;
            let Key { index, generation } = key;
            self.timers.set(due, Due::Request { index, generation });
        }
    }
}
