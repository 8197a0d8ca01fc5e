//! Work is posted: from the queue to nodes that have room.

use crate::coordinator::Coordinator;
use crate::limits::{
    LOOK_BUCKETS, LOOK_IDLE, LOOK_SESSIONS, ORDER_BYTES, ORDER_ITEMS, ORDER_NAMES,
};
use crate::nodes::Lane;
use crate::timers::Due;

impl Coordinator {
    /// Posts what can be posted.
    pub(crate) fn dispatch(&mut self) {
        if self.setup.grace_ns > 0 {
            let until = *self.grace_until_ns.get_or_insert(self.now_ns + self.setup.grace_ns);
            if self.now_ns < until {
                self.timers.set(until, Due::Grace);
                return;
            }
        }
        self.dispatch_granted();
        self.dispatch_steps();
        // Of the others nothing has changed: a message costs the same however many they are.
        let touched = self.queue.take_touched();
        for lane in Lane::ALL {
            for slot in &touched {
                while self.has_room(*slot, lane) && self.post(*slot, lane) {}
            }
            self.help(lane, &touched);
        }
    }

    pub(crate) fn has_room(&self, slot: u16, lane: Lane) -> bool {
        self.nodes.get(slot).is_some_and(|node| node.has_room(lane))
    }

    /// Posts one order, or clears the way for one; false if there is nothing to post.
    fn post(&mut self, slot: u16, lane: Lane) -> bool {
        for class in lane.classes() {
            if let Some((session, bucket)) = self.next_bucket(slot, class) {
                self.post_from(slot, class, session, bucket);
                return true;
            }
        }
        false
    }

    /// The session whose turn it is, and its bucket, as far as the limits let it be served.
    fn next_bucket(&mut self, slot: u16, class: usize) -> Option<(u32, u32)> {
        let (mut last, mut limited) = (None, 0);
        while limited < LOOK_SESSIONS {
            let next = self.queue.session_after(slot, class, last)?;
            last = Some(next);
            let session = next.1;
            for look in 0..LOOK_BUCKETS {
                let Some(bucket) = self.queue.front(slot, class, session) else { break };
                let file_system = self.queue.bucket(bucket).key.file_system;
                if self.may_move(session, file_system) {
                    return Some((session, bucket));
                }
                // Another one may lie on a file system that is not limited.
                self.queue.rotate_buckets(slot, class, session);
                self.queue.rotate_tenants(slot, class, session);
                limited += usize::from(look == 0);
            }
        }
        None
    }

    /// Nodes with nothing to do take from those that have more than they can.
    fn help(&mut self, lane: Lane, touched: &[u16]) {
        for slot in touched {
            self.help_with(*slot, lane);
        }
        let has_too_much =
            |slot: &u16| !self.has_room(*slot, lane) && self.queue.backlog(*slot) > 0;
        if !touched.iter().any(has_too_much) {
            return;
        }
        let mut misses = 0;
        for slot in 0..self.nodes.slots() {
            let idle = self.has_room(slot, lane) && self.queue.backlog(slot) == 0;
            if idle && !self.help_with(slot, lane) {
                // What is there is not for everybody, or is held up by a limit.
                misses += 1;
                if misses == LOOK_IDLE {
                    return;
                }
            }
        }
    }

    fn help_with(&mut self, slot: u16, lane: Lane) -> bool {
        let mut helped = false;
        while self.has_room(slot, lane) && self.steal(slot, lane) {
            helped = true;
            while self.has_room(slot, lane) && self.post(slot, lane) {}
        }
        helped
    }

    /// Whether the limits let something of a session be moved on a file system now.
    fn may_move(&mut self, session: u32, file_system: u32) -> bool {
        let now = self.now_ns;
        let limits = &mut self.file_systems;
        let own = limits.limits.get_mut(&file_system).and_then(|limit| limit.free_at(now));
        let sessions = limits.session_limits.get_mut(&session);
        let free_at = own.max(sessions.and_then(|limit| limit.free_at(now)));
        if let Some(free_at) = free_at {
            self.timers.set_bandwidth(free_at);
        }
        free_at.is_none()
    }

    /// Takes a bucket from a node that has more than it can do, if this one has nothing.
    fn steal(&mut self, slot: u16, lane: Lane) -> bool {
        if self.queue.backlog(slot) > 0 {
            return false;
        }
        let loaded = self.nodes.iter().filter(|(_, node)| !node.has_room(lane));
        let victim = loaded.map(|(other, _)| (self.queue.backlog(other), other)).max();
        let Some((backlog, victim)) = victim.filter(|(backlog, _)| *backlog > 0) else {
            return false;
        };
        debug_assert!(backlog > 0 && victim != slot);
        for class in lane.classes() {
            let Some(bucket) = self.queue.steal(victim, class) else { continue };
            let file_system = self.queue.bucket(bucket).key.file_system;
            let reaches = self.nodes.get(slot).is_some_and(|node| node.reaches(file_system));
            let node = if reaches { slot } else { victim };
            self.queue.assign(bucket, Some(node), false);
            return reaches;
        }
        false
    }

    fn post_from(&mut self, slot: u16, class: usize, session: u32, bucket: u32) {
        let token = self.fresh_token();
        let (mut items, mut cost, mut bytes, mut names) = (Vec::new(), 0, 0, 0);
        let mut verb = None;
        while let Some(index) = self.queue.first(bucket) {
            let request = &self.requests.slab[index];
            let (own, name) = (request.cost(), request.name.as_slice().len());
            let alike = verb.is_none_or(|verb| verb == (request.verb, request.flags()));
            let fits = items.is_empty()
                || (alike
                    && items.len() < ORDER_ITEMS
                    && bytes + own <= ORDER_BYTES
                    && names + name <= ORDER_NAMES);
            let is_split = self.is_split(index);
            if !fits || (is_split && !items.is_empty()) {
                break;
            }
            verb = Some((request.verb, request.flags()));
            self.queue.unlink(&mut self.requests, index);
            if !self.take_file(index, token) {
                continue;
            }
            cost += own;
            if is_split {
                self.charge(slot, class, session, bucket, cost);
                self.begin_split(slot, index, token);
                return;
            }
            bytes += own;
            names += name;
            items.push(index);
        }
        if items.is_empty() {
            return;
        }
        self.charge(slot, class, session, bucket, cost);
        self.queue.rotate_tenants(slot, class, session);
        self.post_order(slot, Lane::of(class), token, items);
    }

    fn charge(&mut self, slot: u16, class: usize, session: u32, bucket: u32, cost: u64) {
        let share = self.sessions.slab.get(session).map_or(1, |session| session.share);
        let file_system = self.queue.bucket(bucket).key.file_system;
        self.queue.charge(slot, class, session, cost, share);
        self.charge_limits(session, file_system, cost);
    }

    pub(crate) fn charge_limits(&mut self, session: u32, file_system: u32, cost: u64) {
        if let Some(limit) = self.file_systems.limits.get_mut(&file_system) {
            limit.take(cost);
        }
        if let Some(limit) = self.file_systems.session_limits.get_mut(&session) {
            limit.take(cost);
        }
    }
}
