//! Nodes come, stay as long as they renew their leases, and go.

use std::collections::BTreeSet;

use dray_wire::messages::{Join, Joined, Renew, Renewed};
use dray_wire::{NodeId, Reason, Role};

use crate::coordinator::Coordinator;
use crate::limits::LEASE_SKEW;
use crate::nodes::{Node, State, Window, id_of, slot_of};
use crate::outbox::Refusal;
use crate::placement::seed_of;
use crate::talk::At;
use crate::timers::Due;

impl Coordinator {
    pub(crate) fn join(&mut self, at: At, it: &Join) -> Result<(), Refusal> {
        let Some(state) = self.connection(at.0) else { return Ok(()) };
        if state.role != Role::NODE {
            return Err(Refusal::new(Reason::NOT_ALLOWED, 0, "only a node joins"));
        }
        let name = state.name.clone();
        let known = self.nodes.iter().find(|(_, node)| node.name == name);
        if let Some((slot, node)) = known.map(|(slot, node)| (slot, node.connection)) {
            if node.is_some() {
                let text = format!("a node named {name} is there already");
                return Err(Refusal::new(Reason::CONFLICT, 0, text));
            }
            // It has begun anew: what it was doing is nobody's any more.
            self.node_gone(slot);
        }
        let cores = it.cores.clamp(1, dray_wire::limits::CORES_MAX as u16);
        let file_systems = it.file_systems.0.iter().map(|own| self.file_systems.index(*own));
        let node = Node {
            seed: seed_of(&name),
            name,
            state: State::Alive,
            connection: Some(at.0),
            cores,
            file_systems: file_systems.collect(),
            everywhere: it.file_systems.0.contains(&[0; 16]),
            lease_until_ns: self.lease_end(),
            due_ns: self.lease_end(),
            lapsed: false,
            lanes: <[Window; 2]>::default(),
            core_parts: vec![0; usize::from(cores)],
            orders: BTreeSet::new(),
            sessions: BTreeSet::new(),
            shadows: Vec::new(),
            load: 0,
            done: 0,
            bytes: 0,
            core_bytes: vec![0; usize::from(cores)],
        };
        let lease_until_ns = node.lease_until_ns;
        let slot = self.nodes.add(node).ok_or_else(|| Refusal::busy(0, 1000, "too many nodes"))?;
        self.queue.add_node(slot);
        self.queue.touch(slot);
        self.timers.set(lease_until_ns, Due::Lease(slot));
        if let Some(state) = self.connections.get_mut(at.0) {
            state.node = id_of(slot);
        }
        let (lease_ms, epoch) = (self.lease_ms(), self.setup.epoch);
        self.reply_now(
            at.0,
            at.1,
            Joined { node: id_of(slot), lease_ms, epoch, ..Joined::default() },
        );
        for bucket in self.queue.take_homeless() {
            self.settle_bucket(bucket, false);
        }
        Ok(())
    }

    //= docs/wire.md#w-64
    pub(crate) fn lease_end(&self) -> u64 {
        self.now_ns + self.setup.lease_ns + self.setup.lease_ns / LEASE_SKEW
    }

    pub(crate) fn renew(&mut self, at: At, node: NodeId, it: &Renew) -> Result<(), Refusal> {
        let (lease_until_ns, slot) = (self.lease_end(), slot_of(node));
        let Some(own) = self.nodes.get_mut(slot).filter(|it| it.connection == Some(at.0)) else {
            return Err(Refusal::new(Reason::NO_NODE_KNOWN, node.0.into(), "join first"));
        };
        own.lease_until_ns = lease_until_ns;
        own.load = it.load;
        if std::mem::take(&mut own.lapsed) {
            self.queue.touch(slot);
        }
        let (epoch, lease_ms) = (self.setup.epoch, self.lease_ms());
        let renewed = Renewed { epoch, sent_ns: it.sent_ns, lease_ms, ..Renewed::default() };
        self.reply_now(at.0, at.1, renewed);
        Ok(())
    }

    pub(crate) fn lease_due(&mut self, slot: u16) {
        let Some(node) = self.nodes.get_mut(slot) else { return };
        if node.lease_until_ns > self.now_ns {
            // It was renewed since: one timer goes on, however often.
            node.due_ns = node.lease_until_ns;
            self.timers.set(node.due_ns, Due::Lease(slot));
            return;
        }
        if let Some(connection) = node.connection {
            self.close(connection);
        }
        self.node_gone(slot);
    }

    /// The connection of a node has ended. It may still act until its lease ends, so only what
    /// can be done twice without harm is given to others before that.
    pub(crate) fn node_silent(&mut self, connection: u32, node: NodeId) {
        let slot = slot_of(node);
        if node == NodeId::NONE {
            return;
        }
        let Some(own) = self.nodes.get_mut(slot) else { return };
        if own.connection == Some(connection) {
            own.connection = None;
            own.go(State::Silent);
            self.rehome(slot);
            self.reassign(slot, true);
        }
    }

    /// A node acts no more.
    pub(crate) fn node_gone(&mut self, slot: u16) {
        self.reassign(slot, false);
        let Some(mut node) = self.nodes.remove(slot) else { return };
        node.go(State::Gone);
        // Another node may have the slot soon.
        self.timers.clear(node.due_ns, Due::Lease(slot));
        self.rehome(slot);
        for (handle, token) in node.shadows {
            self.give_back(handle, token);
        }
    }

    /// Gives the buckets of a node to others.
    pub(crate) fn rehome(&mut self, slot: u16) {
        for bucket in self.queue.evict(slot) {
            self.settle_bucket(bucket, false);
        }
    }
}
