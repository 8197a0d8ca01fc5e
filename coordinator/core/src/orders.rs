//! Orders under way, and what nodes say of them.

use dray_wire::limits::RECEIPT_MAX;
use dray_wire::messages::{ItemResult, OrderDone, OrderProgress, OrderRefused};
use dray_wire::{Bytes, NodeId, Reason, Status, Text, Token, Verb};

use crate::coordinator::Coordinator;
use crate::limits::TRIES_MAX;
use crate::movement::Ending;
use crate::nodes::{Lane, slot_of};
use crate::requests::{NONE, Where};

/// What an order is about.
#[derive(Debug)]
pub(crate) enum Work {
    /// Requests; `NONE` for those that are answered.
    Whole(Vec<u32>),
    /// A step of a split file.
    Begin(u32),
    Part {
        split: u32,
        part: u32,
        core: u16,
    },
    Finish(u32),
}

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) node: u16,
    pub(crate) token: Token,
    pub(crate) lane: Lane,
    pub(crate) verb: Verb,
    pub(crate) work: Work,
    /// Items without an answer.
    pub(crate) left: u32,
}

/// What became of a step of a split file.
pub(crate) struct StepResult {
    pub(crate) ending: Ending,
    pub(crate) receipt: Bytes<RECEIPT_MAX>,
}

/// Reasons of a node that have nothing to do with the file: another may do it. *No session* is
/// one, since a session that is assumed is withdrawn under orders that are on their way.
fn is_of_node(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::LEASE_ENDED
            | Reason::OLD_EPOCH
            | Reason::BUSY
            | Reason::NO_NODE
            | Reason::NO_SESSION
    )
}

impl Ending {
    /// Whether the same may be tried on another node.
    pub(crate) fn is_of_node(&self) -> bool {
        self.status == Status::FAILED && is_of_node(self.reason)
    }
}

impl Coordinator {
    /// The order with this id, if the node has it.
    fn order_of(&self, node: NodeId, epoch: u64, id: u64) -> Option<u32> {
        let index = self.orders.find(id)?;
        let own = self.orders[index].node == slot_of(node) && epoch == self.setup.epoch.0;
        own.then_some(index)
    }

    //= docs/wire.md#w-66
    pub(crate) fn order_done(&mut self, node: NodeId, it: OrderDone) {
        let Some(order) = self.order_of(node, it.epoch.0, it.order.0) else { return };
        for result in it.results.0 {
            self.note_lapse(node, result.reason);
            self.item_done(order, result);
        }
        self.end_order_if_done(order);
    }

    fn item_done(&mut self, order: u32, result: ItemResult) {
        if !result.status.is_final() {
            return;
        }
        let state = &mut self.orders[order];
        let slot = state.node;
        let ItemResult { status, reason, bytes, text, .. } = result;
        let ending = Ending { status, reason, bytes, text };
        if let Work::Whole(items) = &mut state.work {
            let Some(item) = items.get_mut(result.index as usize) else { return };
            let index = std::mem::replace(item, NONE);
            if index == NONE {
                return;
            }
            state.left -= 1;
            let lane = state.lane as usize;
            if let Some(node) = self.nodes.get_mut(slot) {
                node.lanes[lane].items -= 1;
                self.queue.touch(slot);
                if status == Status::DONE {
                    node.credit(result.core, bytes);
                }
            }
            self.release_file(index, order);
            if ending.is_of_node() {
                self.try_again(index, &ending);
            } else if !self.rest(index, &ending) {
                self.pace.count(self.now_ns);
                self.end_all(index, &ending);
            }
            return;
        }
        if result.index != 0 || state.left == 0 {
            return;
        }
        state.left = 0;
        if let Some(node) = self.nodes.get_mut(slot)
            && status == Status::DONE
        {
            node.credit(result.core, bytes);
        }
        self.step_done(order, StepResult { ending, receipt: result.receipt });
    }

    /// A file is moved by nobody any more; whoever waits for it goes on.
    pub(crate) fn release_file(&mut self, index: u32, order: u32) {
        let token = self.orders[order].token;
        self.release_handle(index, token);
    }

    pub(crate) fn release_handle(&mut self, index: u32, token: Token) {
        let handle = self.requests.slab[index].handle;
        self.moving.remove(&handle);
        self.give_back(handle, token);
        let mut behind = std::mem::replace(&mut self.requests.slab[index].behind, NONE);
        while behind != NONE {
            let (_, next) = self.requests.unlink(behind);
            self.requests.set_status(behind, Status::QUEUED);
            self.put_in_bucket(behind, true);
            behind = next;
        }
    }

    /// Queues a request again that a node did not do.
    pub(crate) fn try_again(&mut self, index: u32, ending: &Ending) {
        let request = &mut self.requests.slab[index];
        request.tries += 1;
        if request.cancelled {
            // Nobody told the node in time; nobody wants it any more.
            return self.end_all(index, &Ending::cancelled());
        }
        if request.tries > TRIES_MAX {
            return self.end_all(index, ending);
        }
        if self.requeue(index) {
            self.put_in_bucket(index, true);
        }
    }

    /// A request that was moved is queued again; false if it follows another that moves the same.
    pub(crate) fn requeue(&mut self, index: u32) -> bool {
        let request = &mut self.requests.slab[index];
        (request.place_in, request.bytes, request.node) = (Where::Nowhere, 0, NodeId::NONE);
        self.requests.set_status(index, Status::QUEUED);
        // Others may have asked for the same meanwhile; then all of them follow the one queued.
        let Some(leader) = self.requests.same(index) else { return true };
        let mut follower = std::mem::replace(&mut self.requests.slab[index].followers, NONE);
        self.follow(leader, index);
        while follower != NONE {
            let (_, next) = self.requests.unlink(follower);
            self.follow(leader, follower);
            follower = next;
        }
        false
    }

    pub(crate) fn end_order_if_done(&mut self, order: u32) {
        if self.orders.get(order).is_none_or(|state| state.left > 0) {
            return;
        }
        let Some(state) = self.orders.remove(order) else { return };
        if let Some(node) = self.nodes.get_mut(state.node) {
            self.queue.touch(state.node);
            node.orders.remove(&order);
            match state.work {
                Work::Part { core, .. } => node.core_parts[usize::from(core)] -= 1,
                _ => node.lanes[state.lane as usize].orders -= 1,
            }
        }
    }

    pub(crate) fn order_progress(&mut self, node: NodeId, it: &OrderProgress) {
        let Some(order) = self.order_of(node, it.epoch.0, it.order.0) else { return };
        if let Work::Whole(items) = &self.orders[order].work
            && let [only] = items.as_slice()
            && *only != NONE
        {
            self.requests.slab[*only].bytes = it.bytes;
        }
    }

    pub(crate) fn order_refused(&mut self, node: NodeId, it: &OrderRefused) {
        let Some(order) = self.order_of(node, it.epoch.0, it.order.0) else { return };
        self.note_lapse(node, it.reason);
        self.fail_order(order, it.reason, &it.text);
    }

    fn note_lapse(&mut self, node: NodeId, reason: Reason) {
        if reason == Reason::LEASE_ENDED
            && let Some(own) = self.nodes.get_mut(slot_of(node))
        {
            own.lapsed = true;
        }
    }

    /// Answers all that is left of an order.
    pub(crate) fn fail_order(&mut self, order: u32, reason: Reason, text: &Text) {
        let count = match &self.orders[order].work {
            Work::Whole(items) => items.len() as u32,
            _ => 1,
        };
        for index in 0..count {
            let (status, text) = (Status::FAILED, text.clone());
            self.item_done(order, ItemResult { index, status, reason, text, ..Default::default() });
        }
        self.end_order_if_done(order);
    }

    /// Takes orders away from a node: all, or only those that may be done twice without harm.
    pub(crate) fn reassign(&mut self, slot: u16, only_harmless: bool) {
        let Some(node) = self.nodes.get(slot) else { return };
        let orders: Vec<u32> = node.orders.iter().copied().collect();
        let text = Text::new(&format!("node {} is gone", node.name));
        for order in orders {
            // Two copies in the archive are merely one too many. Two writers to a file are not.
            if !only_harmless || self.orders[order].verb == Verb::ARCHIVE {
                if only_harmless {
                    self.shadow(slot, order);
                }
                self.fail_order(order, Reason::LEASE_ENDED, &text);
            }
        }
    }

    /// A silent node may still be reading the files of an order. Others may read them too, but
    /// nobody may have them alone before it surely acts no more.
    //= docs/wire.md#w-53
    fn shadow(&mut self, slot: u16, order: u32) {
        let shadow = self.fresh_token();
        let state = &self.orders[order];
        let requests: Vec<u32> = match &state.work {
            Work::Whole(items) => items.iter().copied().filter(|item| *item != NONE).collect(),
            Work::Begin(split) | Work::Part { split, .. } | Work::Finish(split) => {
                vec![self.splits[*split].request]
            }
        };
        let Some(node) = self.nodes.get_mut(slot) else { return };
        for request in requests {
            let handle = self.requests.slab[request].handle;
            if self.rights.lend(handle, state.token, shadow) {
                node.shadows.push((handle, shadow));
            }
        }
    }
}
