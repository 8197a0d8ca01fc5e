//! Nodes that do their work well, badly, late, twice or not at all.

use dray_wire::messages::*;
use dray_wire::{Bytes, List, Message, OrderId, Reason, Role, Status, Step};

use crate::world::{EPOCH, FILE_SYSTEMS, World};

pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) connection: Option<u32>,
    /// Does not renew its lease.
    sleepy: bool,
    orders: Vec<Pending>,
    /// An order that was over long ago.
    old: Option<OrderId>,
}

struct Pending {
    order: Order,
    open: Vec<u32>,
    cancelled: bool,
}

const REASONS: [Reason; 6] = [
    Reason::LEASE_ENDED,
    Reason::OLD_EPOCH,
    Reason::BUSY,
    Reason::NO_SESSION,
    Reason::NO_RIGHT,
    Reason::FAILED,
];

impl World {
    fn node_at(&mut self, connection: u32) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.connection == Some(connection))
    }

    pub(crate) fn node_cut(&mut self, connection: u32) {
        if let Some(node) = self.node_at(connection) {
            node.connection = None;
            node.orders.clear();
        }
    }

    pub(crate) fn node_gets(&mut self, connection: u32, order: Order) {
        let open = (0..order.items.0.len() as u32).collect();
        if let Some(node) = self.node_at(connection) {
            node.orders.push(Pending { order, open, cancelled: false });
        }
    }

    pub(crate) fn node_told(&mut self, connection: u32, it: &CancelOrder) {
        let Some(node) = self.node_at(connection) else { return };
        for pending in &mut node.orders {
            pending.cancelled |= pending.order.order == it.order;
        }
    }

    /// Every node that is well renews its lease.
    pub(crate) fn renew(&mut self) {
        let well = self.nodes.iter().filter(|node| !node.sleepy);
        let well: Vec<u32> = well.filter_map(|node| node.connection).collect();
        for connection in well {
            // The one before may have had it closed.
            if self.node_at(connection).is_some() {
                self.ask(connection, Renew { epoch: EPOCH, ..Renew::default() });
            }
        }
    }

    pub(crate) fn join(&mut self, at: usize, everywhere: bool) {
        let name = self.nodes[at].name.clone();
        let connection = self.connect(Role::NODE, &name);
        let which = if everywhere { 0 } else { self.random.below(4) as usize };
        let file_systems = match which {
            1 => vec![FILE_SYSTEMS[0]],
            2 => vec![FILE_SYSTEMS[1]],
            _ => FILE_SYSTEMS.to_vec(),
        };
        let cores = 1 + self.random.below(3) as u16;
        let join = Join { cores, file_systems: List(file_systems), ..Join::default() };
        self.checker.movers.joins(connection, &name, &join, self.now);
        self.nodes[at].connection = Some(connection);
        self.nodes[at].sleepy = false;
        match self.ask(connection, join) {
            Some(Message::Joined(_)) => {}
            other => self.checker.faults.push(format!("{name} joined: {other:?}")),
        }
    }

    pub(crate) fn add_node(&mut self, name: &str, everywhere: bool) {
        let node = Node {
            name: name.to_owned(),
            connection: None,
            sleepy: false,
            orders: Vec::new(),
            old: None,
        };
        self.nodes.push(node);
        self.join(self.nodes.len() - 1, everywhere);
    }

    /// Something that a node does.
    pub(crate) fn node_acts(&mut self) {
        if self.nodes.is_empty() {
            return;
        }
        let at = self.random.below(self.nodes.len() as u64) as usize;
        let Some(connection) = self.nodes[at].connection else {
            if self.random.one_in(3) {
                self.join(at, false);
            }
            return;
        };
        match self.random.below(40) {
            0 => self.disconnect(connection),
            1 => self.nodes[at].sleepy = true,
            2 => self.refuse_one(at, connection),
            3 => self.answer_old(at, connection),
            4 => self.progress(at, connection),
            _ => self.answer_one(at, connection, false),
        }
    }

    fn progress(&mut self, at: usize, connection: u32) {
        if let Some(pending) = self.nodes[at].orders.first() {
            let (epoch, order) = (EPOCH, pending.order.order);
            self.ask(connection, OrderProgress { epoch, order, bytes: 5 });
        }
    }

    fn refuse_one(&mut self, at: usize, connection: u32) {
        let Some(pending) = self.nodes[at].orders.pop() else { return };
        let reason = self.random.pick(&REASONS).expect("there are some");
        let (epoch, order) = (EPOCH, pending.order.order);
        self.ask(connection, OrderRefused { epoch, order, reason, ..OrderRefused::default() });
    }

    /// An order that is over is answered again.
    fn answer_old(&mut self, at: usize, connection: u32) {
        if let Some(order) = self.nodes[at].old {
            let result = ItemResult { status: Status::DONE, ..ItemResult::default() };
            let results = List(vec![result]);
            self.ask(connection, OrderDone { epoch: EPOCH, order, results });
        }
    }

    fn result(&mut self, pending: &Pending, index: u32, well: bool) -> ItemResult {
        let item = &pending.order.items.0[index as usize];
        let bytes = if item.length > 0 { item.length } else { item.size };
        let mut result = ItemResult {
            index,
            core: pending.order.core,
            status: Status::DONE,
            bytes,
            receipt: Bytes::new(vec![pending.order.step.0; 8]).expect("short"),
            ..ItemResult::default()
        };
        if well {
            return result;
        }
        let cancelled = pending.cancelled && self.random.one_in(2);
        (result.status, result.reason) = match self.random.below(20) {
            _ if cancelled => (Status::CANCELLED, Reason::CANCELLED),
            0 => (Status::NOTHING, Reason::NONE),
            1 => (Status::FAILED, self.random.pick(&REASONS).expect("there are some")),
            // No answer at all.
            2 => (Status::MOVING, Reason::NONE),
            _ => (Status::DONE, Reason::NONE),
        };
        result
    }

    /// Answers some of an order: any of them, in any order, the last ones perhaps twice.
    fn answer_one(&mut self, at: usize, connection: u32, well: bool) {
        if self.nodes[at].orders.is_empty() {
            return;
        }
        let which = self.random.below(self.nodes[at].orders.len() as u64) as usize;
        let mut pending = self.nodes[at].orders.swap_remove(which);
        let part = !well && self.random.one_in(3);
        let mut results = Vec::new();
        let open = std::mem::take(&mut pending.open);
        for index in open {
            let result = self.result(&pending, index, well);
            if (part && self.random.one_in(2)) || !result.status.is_final() {
                pending.open.push(index);
                if result.status.is_final() {
                    continue;
                }
            }
            results.push(result);
        }
        if !well && self.random.one_in(10) {
            results.extend(results.clone());
        }
        let order = pending.order.order;
        if pending.open.is_empty() {
            self.nodes[at].old = Some(order);
        } else {
            self.nodes[at].orders.push(pending);
        }
        self.ask(connection, OrderDone { epoch: EPOCH, order, results: List(results) });
    }

    /// All nodes do all that they have, well.
    pub(crate) fn nodes_work(&mut self) {
        for at in 0..self.nodes.len() {
            self.nodes[at].sleepy = false;
            while let Some(connection) = self.nodes[at].connection
                && !self.nodes[at].orders.is_empty()
            {
                self.answer_one(at, connection, true);
            }
        }
    }

    /// Steps that orders under way are of.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.nodes.iter().flat_map(|node| &node.orders).map(|it| it.order.step).collect()
    }
}
