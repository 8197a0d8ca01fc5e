//! Work is posted: from the queue to nodes that have room.

use std::collections::VecDeque;

use dray_wire::messages::{CancelOrder, Grant, Order as OrderMessage, OrderItem};
use dray_wire::{Bytes, FileHandle, List, OrderId, Status, Step, Token};

use crate::coordinator::Coordinator;
use crate::limits::{
    LOOK_BUCKETS, LOOK_IDLE, LOOK_SESSIONS, ORDER_BYTES, ORDER_ITEMS, ORDER_NAMES,
};
use crate::movement::Ending;
use crate::nodes::{Lane, id_of};
use crate::orders::{Order, Work};
use crate::placement::{core_of, place};
use crate::requests::{NONE, Where};
use crate::rights::{Asked, Waiter};

impl Coordinator {
    /// Posts what can be posted.
    pub(crate) fn dispatch(&mut self) {
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

    fn has_room(&self, slot: u16, lane: Lane) -> bool {
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
            let reaches =
                self.nodes.get(slot).is_some_and(|node| node.file_systems.contains(&file_system));
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
            let alike = verb.is_none_or(|verb| verb == (request.verb, request.flags));
            let fits = items.is_empty()
                || (alike
                    && items.len() < ORDER_ITEMS
                    && bytes + own <= ORDER_BYTES
                    && names + name <= ORDER_NAMES);
            let is_split = self.is_split(index);
            if !fits || (is_split && !items.is_empty()) {
                break;
            }
            verb = Some((request.verb, request.flags));
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

    fn charge_limits(&mut self, session: u32, file_system: u32, cost: u64) {
        if let Some(limit) = self.file_systems.limits.get_mut(&file_system) {
            limit.take(cost);
        }
        if let Some(limit) = self.file_systems.session_limits.get_mut(&session) {
            limit.take(cost);
        }
    }

    /// Gets the right to move a file; false if the request has to wait for it.
    fn take_file(&mut self, index: u32, token: Token) -> bool {
        let request = &self.requests.slab[index];
        let (handle, right) = (request.handle, request.verb.right());
        if let Some(mover) = self.moving.get(&handle) {
            let mover = *mover;
            self.requests.set_status(index, Status::WAITING);
            self.go_behind(mover, index);
            return false;
        }
        if self.rights.request(handle, token, right, None) != Asked::Granted {
            self.requests.set_status(index, Status::WAITING);
            let token = self.fresh_token();
            let asked = self.rights.request(handle, token, right, Some(Waiter::Movement(index)));
            let request = &mut self.requests.slab[index];
            // While it waits for a right its place in the queue means nothing.
            (request.ticket, request.place_in) = (token.0, Where::Asking);
            debug_assert_eq!(asked, Asked::Waits);
            return false;
        }
        self.taken(index);
        true
    }

    fn go_behind(&mut self, mover: u32, index: u32) {
        let first = self.requests.slab[mover].behind;
        self.requests.slab[mover].behind = self.requests.link(first, index);
        let request = &mut self.requests.slab[index];
        (request.of, request.place_in) = (mover, Where::Behind);
    }

    /// A request has what it needs to be moved.
    fn taken(&mut self, index: u32) {
        let handle = self.requests.slab[index].handle;
        self.requests.not_same(index, None);
        self.requests.set_status(index, Status::MOVING);
        self.moving.insert(handle, index);
    }

    /// The right that a request waited for is there.
    pub(crate) fn right_granted(&mut self, index: u32, token: Token) {
        let Some(request) = self.requests.slab.get(index) else { return };
        let lane = Lane::of(request.class.0.into());
        let file_system = self.file_systems.index(request.handle.file_system);
        self.granted.entry((lane, file_system)).or_default().push_back((index, token));
    }

    /// Each list as far as nodes have room, so that a long one costs nothing meanwhile.
    fn dispatch_granted(&mut self) {
        let lists: Vec<(Lane, u32)> = self.granted.keys().copied().collect();
        for list in lists {
            while let Some(next) = self.granted.get(&list).and_then(|list| list.front().copied()) {
                if !self.post_granted(list, next) {
                    break;
                }
                if let Some(list) = self.granted.get_mut(&list) {
                    list.pop_front();
                }
            }
            if self.granted.get(&list).is_some_and(VecDeque::is_empty) {
                self.granted.remove(&list);
            }
        }
    }

    /// False if there is no room for it.
    fn post_granted(
        &mut self,
        (lane, file_system): (Lane, u32),
        (index, token): (u32, Token),
    ) -> bool {
        let Some(request) = self.requests.slab.get(index) else { return true };
        // It may have been cancelled, and its place be used again.
        if request.place_in != Where::Asking || request.ticket != token.0 {
            return true;
        }
        let (handle, region, cost) = (request.handle, request.region, request.cost());
        let session = request.session;
        if let Some(mover) = self.moving.get(&handle).copied() {
            // Both had waited for a shared right. It keeps none while the other moves.
            self.go_behind(mover, index);
            self.give_back(handle, token);
            return true;
        }
        let (mut slots, mut candidates) = self.candidates(file_system);
        let mut roomy = slots.iter().map(|slot| self.has_room(*slot, lane));
        candidates.retain(|_| roomy.next().unwrap_or(false));
        slots.retain(|slot| self.has_room(*slot, lane));
        let Some(slot) = place(region, 1, &candidates).map(|index| slots[index]) else {
            return false;
        };
        self.charge_limits(session, file_system, cost);
        self.taken(index);
        if self.is_split(index) {
            self.begin_split(slot, index, token);
        } else {
            self.post_order(slot, lane, token, vec![index]);
        }
        true
    }

    fn post_order(&mut self, slot: u16, lane: Lane, token: Token, mut items: Vec<u32>) {
        // In the order of the LUN: neighbours are read and written together.
        items.sort_by_key(|index| {
            let request = &self.requests.slab[*index];
            (request.region, request.place)
        });
        let first = &self.requests.slab[items[0]];
        let (verb, region) = (first.verb, first.region);
        let wire = items.iter().map(|index| self.order_item(*index)).collect();
        let left = items.len() as u32;
        let members = items.clone();
        let order = Order { node: slot, token, lane, verb, work: Work::Whole(items), left };
        let order = self.orders.insert(order).index;
        for index in &members {
            let request = &mut self.requests.slab[*index];
            (request.of, request.place_in, request.node) = (order, Where::Order, id_of(slot));
        }
        let Some(node) = self.nodes.get_mut(slot) else { return };
        node.lanes[lane as usize].orders += 1;
        node.lanes[lane as usize].items += left;
        let core = core_of(region, node.seed, node.cores);
        self.send_order(order, members[0], Step::WHOLE, core, wire);
    }

    pub(crate) fn order_item(&self, index: u32) -> OrderItem {
        let request = &self.requests.slab[index];
        OrderItem {
            handle: request.handle,
            size: request.size,
            offset: request.offset,
            length: request.length,
            kind: request.kind,
            name: request.name.clone(),
            receipt: Bytes::default(),
            ..OrderItem::default()
        }
    }

    /// Grants what an order needs, and sends it. `request` is one of those that it is for.
    pub(crate) fn send_order(
        &mut self,
        order: u32,
        request: u32,
        step: Step,
        core: u16,
        items: Vec<OrderItem>,
    ) {
        let id = OrderId(self.orders.key(order).id());
        let Order { node: slot, token, verb, .. } = self.orders[order];
        let (epoch, right, lease_ms) = (self.setup.epoch, verb.right(), self.lease_ms());
        let request = &self.requests.slab[request];
        let (class, flags) = (request.class, request.flags);
        let session = self.sessions.slab[request.session].id;
        let Some(node) = self.nodes.get_mut(slot) else { return };
        node.orders.insert(order);
        node.sessions.insert(session);
        let Some(connection) = node.connection else { return };
        let handles: Vec<FileHandle> = items.iter().map(|item| item.handle).collect();
        let handles = List(handles);
        self.out.send(
            connection,
            0,
            Grant { epoch, session, token, right, handles, ..Grant::default() },
        );
        let message = OrderMessage {
            epoch,
            order: id,
            session,
            token,
            right,
            verb,
            step,
            class,
            core,
            flags,
            lease_ms,
            items: List(items),
            ..OrderMessage::default()
        };
        self.out.send(connection, 0, message);
    }

    /// A request that waits for a right is taken back.
    pub(crate) fn cancel_asking(&mut self, index: u32) {
        let request = &self.requests.slab[index];
        let (handle, token) = (request.handle, Token(request.ticket));
        self.give_back(handle, token);
        self.hand_over(index);
        self.end(index, &Ending::cancelled());
    }

    pub(crate) fn not_behind(&mut self, index: u32) {
        let mover = self.requests.slab[index].of;
        let (previous, next) = self.requests.unlink(index);
        if previous == NONE {
            self.requests.slab[mover].behind = next;
        }
        self.hand_over(index);
    }

    /// A request that is being moved is taken back: the node is told, unless others want it too.
    pub(crate) fn cancel_ordered(&mut self, index: u32) {
        let request = &self.requests.slab[index];
        if request.followers != NONE {
            return;
        }
        let order = request.of;
        let Work::Whole(items) = &self.orders[order].work else { return };
        let Some(item) = items.iter().position(|item| *item == index) else { return };
        self.requests.slab[index].cancelled = true;
        self.tell_cancel(order, item as u32);
    }

    /// Tells a node to leave an item of an order, if it listens.
    pub(crate) fn tell_cancel(&mut self, order: u32, item: u32) {
        let node = self.nodes.get(self.orders[order].node);
        if let Some(connection) = node.and_then(|node| node.connection) {
            let (epoch, id) = (self.setup.epoch, OrderId(self.orders.key(order).id()));
            let items = List(vec![item]);
            self.out.send(connection, 0, CancelOrder { epoch, order: id, items });
        }
    }
}
