//! Orders, as they are sent to nodes.

use dray_wire::messages::{CancelOrder, Grant, Order as OrderMessage, OrderItem};
use dray_wire::{Bytes, FileHandle, List, OrderId, Step, Token};

use crate::coordinator::Coordinator;
use crate::nodes::{Lane, id_of};
use crate::orders::{Order, Work};
use crate::placement::core_of;
use crate::requests::Where;

impl Coordinator {
    pub(crate) fn post_order(&mut self, slot: u16, lane: Lane, token: Token, mut items: Vec<u32>) {
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
        let (class, flags) = (request.class, request.flags());
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
