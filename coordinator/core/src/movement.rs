//! Requests as users see them: submitted, listed, cancelled, ended.

use dray_wire::messages::*;
use dray_wire::{Class, List, Reason, RequestId, Status, Text, Token, Verb};

use crate::coordinator::Coordinator;
use crate::journal::{Record, SubmittedHead};
use crate::limits::QUEUED_MAX;
use crate::outbox::Refusal;
use crate::placement::place;
use crate::queue::CLASSES;
use crate::requests::{Asker, NONE, Where};
use crate::slab::Key;
use crate::talk::At;
use crate::timers::Due;

/// How a request ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) status: Status,
    pub(crate) reason: Reason,
    pub(crate) bytes: u64,
    pub(crate) text: Text,
}

impl Ending {
    pub(crate) fn cancelled() -> Self {
        Self {
            status: Status::CANCELLED,
            reason: Reason::CANCELLED,
            bytes: 0,
            text: Text::default(),
        }
    }

    pub(crate) fn failed(reason: Reason, text: &str) -> Self {
        Self { status: Status::FAILED, reason, bytes: 0, text: Text::new(text) }
    }
}

fn check(it: &Submit) -> Result<(), Refusal> {
    let unknown = |what: &str, value: u64| {
        Refusal::new(Reason::UNKNOWN_VALUE, value, format!("{what} {value} is not known"))
    };
    if !it.verb.is_known() {
        return Err(unknown("verb", it.verb.0.into()));
    }
    if !it.class.is_known() {
        return Err(unknown("class", it.class.0.into()));
    }
    if it.flags & !(ACCEPT_CONTENT | SILENT | READ_NEXT) != 0 {
        return Err(unknown("flags", it.flags.into()));
    }
    for item in &it.items.0 {
        if !(KIND_FILE..=KIND_LINK).contains(&item.kind) {
            return Err(unknown("kind of file", item.kind.into()));
        }
        if item.offset.checked_add(item.length).is_none() {
            return Err(unknown("range at", item.offset));
        }
        if i64::try_from(item.size).is_err() {
            return Err(unknown("size", item.size));
        }
    }
    Ok(())
}

impl Coordinator {
    pub(crate) fn submit(&mut self, at: At, it: Submit) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        check(&it)?;
        // What blocked readers want is asked for again by those who raised their events.
        let kept = it.class != Class::BLOCKED;
        if kept {
            self.check_store()?;
        }
        if self.requests.open + it.items.0.len() > QUEUED_MAX {
            return Err(Refusal::busy(0, 1000, "the queue is full"));
        }
        let asker = Asker {
            session: self.sessions.slab.key(session),
            connection: at.0,
            tenant: it.tenant,
            deadline_ms: it.deadline_ms,
            class: it.class,
            verb: it.verb,
            flags: it.flags,
            kept,
            now_ns: self.now_ns,
        };
        let ids = self.take_in(&asker, it.items.0);
        self.sessions.slab[session].requests += ids.len() as u32;
        let due = self.now_ns + u64::from(it.deadline_ms) * 1_000_000;
        for id in &ids {
            let Key { index, generation } = Key::from_id(id.0);
            if it.deadline_ms > 0 {
                self.timers.set(due, Due::Request { index, generation });
            }
            self.enqueue(index);
        }
        // Accepted before anything is said of an outcome.
        self.reply(at.0, at.1, Accepted { requests: List(ids) });
        Ok(())
    }

    /// Makes requests of items, and records them.
    //= docs/journal.md#j-4
    fn take_in(&mut self, asker: &Asker, items: Vec<Item>) -> Vec<RequestId> {
        let head = SubmittedHead {
            root: self.sessions.slab[asker.session.index].root,
            tenant: asker.tenant,
            deadline_ms: asker.deadline_ms,
            class: asker.class,
            verb: asker.verb,
            flags: asker.flags,
        };
        let (requests, mut age) = (&mut self.requests, self.journal.accepted);
        self.journal.accepted += items.len() as u64;
        let mut record = if asker.kept { self.journal.submission(head) } else { None };
        let mut ids = Vec::with_capacity(items.len());
        for item in items {
            let id = RequestId(requests.slab.next_key().id());
            if let Some(record) = &mut record {
                record.add(id, age, &item);
            }
            requests.insert(asker, item);
            ids.push(id);
            age += 1;
        }
        if let Some(mut record) = record {
            record.end();
        }
        ids
    }

    /// Records how a request ended, if it has.
    //= docs/journal.md#j-4
    pub(crate) fn keep_ended(&mut self, id: RequestId) {
        let Some(index) = self.requests.slab.find(id.0) else { return };
        let request = &self.requests.slab[index];
        if request.is_kept() && request.status().is_final() {
            let (bytes, status, reason) = (request.bytes, request.status(), request.reason);
            self.journal.put(&Record::Ended { request: id, bytes, status, reason });
        }
    }

    /// Puts a request where it is served from, or behind one that moves the same.
    pub(crate) fn enqueue(&mut self, index: u32) {
        match self.requests.same(index) {
            Some(leader) => self.follow(leader, index),
            None => self.put_in_bucket(index, false),
        }
    }

    pub(crate) fn put_in_bucket(&mut self, index: u32, front: bool) {
        let file_system = self.requests.slab[index].handle.file_system;
        let file_system = self.file_systems.index(file_system);
        if let Some(bucket) = self.queue.push(&mut self.requests, index, file_system, front) {
            self.settle_bucket(bucket, front);
        }
    }

    pub(crate) fn follow(&mut self, leader: u32, index: u32) {
        let first = self.requests.slab[leader].followers;
        let first = self.requests.link(first, index);
        self.requests.slab[leader].followers = first;
        let request = &mut self.requests.slab[index];
        (request.of, request.place_in) = (leader, Where::Following);
        let class = request.class;
        self.serve_as(leader, class);
    }

    /// A request is one of this class now, if that is served sooner.
    fn serve_as(&mut self, index: u32, class: Class) {
        let request = &mut self.requests.slab[index];
        if request.class <= class {
            return;
        }
        match request.place_in {
            Where::Bucket => self.move_class(index, class),
            Where::Following => {
                request.class = class;
                let leader = request.of;
                self.serve_as(leader, class);
            }
            // Should it be queued again, it is as one of this class.
            _ => request.class = class,
        }
    }

    fn move_class(&mut self, index: u32, class: Class) {
        self.queue.unlink(&mut self.requests, index);
        self.requests.slab[index].class = class;
        self.put_in_bucket(index, false);
    }

    //= docs/wire.md#w-56
    pub(crate) fn deadline_due(&mut self, at_ns: u64, index: u32, generation: u32) {
        let key = self.requests.slab.key(index);
        let Some(request) = self.requests.slab.get(index) else { return };
        if key.generation != generation || request.class.0 <= 1 {
            return;
        }
        let class = Class(request.class.0 - 1);
        if class.0 > 1 {
            let again = at_ns + u64::from(request.deadline_ms) * 1_000_000;
            self.timers.set(again, Due::Request { index, generation });
        }
        self.serve_as(index, class);
    }

    /// A request has ended: its deadline means nothing any more.
    fn forget_deadline(&mut self, index: u32) {
        let generation = self.requests.slab.key(index).generation;
        let request = &self.requests.slab[index];
        let deadline_ns = u64::from(request.deadline_ms) * 1_000_000;
        if deadline_ns > 0 {
            // It is due once for each class that it may be moved up by.
            for times in 1..CLASSES as u64 {
                let at_ns = request.submitted_ns + times * deadline_ns;
                self.timers.clear(at_ns, Due::Request { index, generation });
            }
        }
    }

    /// Finds a node for a bucket.
    pub(crate) fn settle_bucket(&mut self, bucket: u32, front: bool) {
        let state = self.queue.bucket(bucket);
        if state.count == 0 {
            return self.queue.drop_bucket(bucket);
        }
        let (region, more) = (state.key.region, u64::from(state.count.max(1)));
        let (slots, candidates) = self.candidates(state.key.file_system);
        let node = place(region, more, &candidates).map(|index| slots[index]);
        self.queue.assign(bucket, node, front);
    }

    /// A request is over, and with it those that follow it.
    pub(crate) fn end_all(&mut self, index: u32, ending: &Ending) {
        let mut follower = std::mem::replace(&mut self.requests.slab[index].followers, NONE);
        self.end(index, ending);
        while follower != NONE {
            let (_, next) = self.requests.unlink(follower);
            self.requests.set_status(follower, Status::MOVING);
            self.end(follower, ending);
            follower = next;
        }
    }

    //= docs/wire.md#w-50
    pub(crate) fn end(&mut self, index: u32, ending: &Ending) {
        let request = self.requests.id(index);
        self.requests.set_status(index, ending.status);
        let state = &mut self.requests.slab[index];
        state.reason = ending.reason;
        state.bytes = ending.bytes;
        let (connection, session, flags) = (state.connection, state.session, state.flags());
        if let Some(session) = self.sessions.slab.get_mut(session) {
            session.requests -= 1;
        }
        self.forget_deadline(index);
        self.requests.end(index, self.now_ns);
        self.keep_ended(request);
        if flags & SILENT == 0 {
            self.tell_outcome(connection, request, ending);
        }
    }

    /// The right that is needed under an order's token.
    pub(crate) fn fresh_token(&mut self) -> Token {
        self.events.next_token(self.setup.epoch)
    }

    /// Whether a file of this size is worth being split.
    pub(crate) fn is_split(&self, index: u32) -> bool {
        let request = &self.requests.slab[index];
        let movable = matches!(request.verb, Verb::ARCHIVE | Verb::RESTORE);
        movable
            && request.kind == KIND_FILE
            && request.length == 0
            && request.size >= self.setup.split_bytes.max(1)
            // A node that is alone shares it among its cores by itself, and flushes once.
            && self.nodes.iter().filter(|(_, node)| node.connection.is_some()).count() > 1
    }
}
