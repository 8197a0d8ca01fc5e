//! Requests that are taken back, wherever they are on their way.

use dray_wire::messages::{Cancel, Cancelled};
use dray_wire::{List, Status, Token};

use crate::coordinator::Coordinator;
use crate::movement::Ending;
use crate::orders::Work;
use crate::outbox::Refusal;
use crate::requests::{NONE, Where};
use crate::talk::At;

impl Coordinator {
    //= docs/wire.md#w-54
    pub(crate) fn cancel(&mut self, at: At, it: &Cancel) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        let key = self.sessions.slab.key(session);
        let mut statuses = Vec::with_capacity(it.requests.0.len());
        for id in &it.requests.0 {
            let index = self.requests.slab.find(id.0);
            let own = index.filter(|index| self.requests.slab[*index].session_key() == key);
            statuses.push(own.map_or(Status(0), |index| self.cancel_one(index)));
        }
        self.reply(at.0, at.1, Cancelled { statuses: List(statuses) });
        Ok(())
    }

    pub(crate) fn cancel_one(&mut self, index: u32) -> Status {
        let request = &self.requests.slab[index];
        if !request.status().is_final() {
            match request.place_in {
                Where::Bucket => self.cancel_queued(index),
                Where::Resting => {
                    self.hand_over(index);
                    self.end(index, &Ending::cancelled());
                }
                Where::Following => {
                    self.unfollow(index);
                    self.end(index, &Ending::cancelled());
                }
                Where::Behind => {
                    self.not_behind(index);
                    self.end(index, &Ending::cancelled());
                }
                Where::Asking => self.cancel_asking(index),
                Where::Order => self.cancel_ordered(index),
                Where::Split => self.cancel_split(index),
                Where::Nowhere => unreachable!("a request that has not ended is somewhere"),
            }
        }
        self.requests.slab[index].status()
    }

    pub(crate) fn cancel_queued(&mut self, index: u32) {
        self.queue.unlink(&mut self.requests, index);
        self.hand_over(index);
        self.end(index, &Ending::cancelled());
    }

    /// A request that is not moved yet is taken back. If others follow it, the first of them takes
    /// its place.
    pub(crate) fn hand_over(&mut self, index: u32) {
        let heir = self.requests.slab[index].followers;
        if heir == NONE {
            self.requests.not_same(index, None);
        } else {
            let (_, rest) = self.requests.unlink(heir);
            self.requests.slab[index].followers = NONE;
            self.requests.not_same(index, Some(heir));
            self.requests.slab[heir].followers = rest;
            let mut next = rest;
            while next != NONE {
                self.requests.slab[next].of = heir;
                next = self.requests.slab[next].next;
            }
            self.put_in_bucket(heir, true);
        }
    }

    pub(crate) fn unfollow(&mut self, index: u32) {
        let leader = self.requests.slab[index].of;
        let (previous, next) = self.requests.unlink(index);
        if previous == NONE {
            self.requests.slab[leader].followers = next;
        }
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
}
