//! The right to move a file: taken, waited for, given.

use std::collections::VecDeque;

use dray_wire::{Status, Token};

use crate::coordinator::Coordinator;
use crate::nodes::Lane;
use crate::placement::place;
use crate::requests::Where;
use crate::rights::{Asked, Waiter};

impl Coordinator {
    /// Gets the right to move a file; false if the request has to wait for it.
    pub(crate) fn take_file(&mut self, index: u32, token: Token) -> bool {
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

    pub(crate) fn go_behind(&mut self, mover: u32, index: u32) {
        let first = self.requests.slab[mover].behind;
        self.requests.slab[mover].behind = self.requests.link(first, index);
        let request = &mut self.requests.slab[index];
        (request.of, request.place_in) = (mover, Where::Behind);
    }

    /// A request has what it needs to be moved.
    pub(crate) fn taken(&mut self, index: u32) {
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
    pub(crate) fn dispatch_granted(&mut self) {
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
    pub(crate) fn post_granted(
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
}
