//! What will happen, in order.

use std::collections::BTreeMap;

use crate::clients::ClientEvent;
use crate::node::NodeEvent;
use crate::store::{Answer, Ask};

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame arrives; `up` is towards a coordinator.
    Frame {
        link: usize,
        up: bool,
        number: u64,
        bytes: Vec<u8>,
    },
    /// The store is asked something.
    Store {
        host: usize,
        life: u64,
        /// Which question of this process it is.
        number: u64,
        ask: Ask,
    },
    /// An end of a connection hears that it is no more.
    Ended {
        link: usize,
        up: bool,
    },
    Host {
        host: usize,
        life: u64,
        what: HostEvent,
    },
    Node {
        node: usize,
        life: u64,
        what: NodeEvent,
    },
    Client {
        client: usize,
        life: u64,
        what: ClientEvent,
    },
    /// Somebody writes to a file.
    User,
    /// Time for faults.
    Chaos,
    /// No more faults, no more work.
    Calm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostEvent {
    /// It stands for election.
    Start,
    Tick,
    Prolong {
        epoch: u64,
    },
    /// Has blocks kept again, if nothing has come back.
    Again {
        epoch: u64,
        number: u64,
    },
    Answer(Answer),
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    events: BTreeMap<(u64, u64), Event>,
    made: u64,
}

impl Agenda {
    /// Those of the same time happen in the order of their noting.
    pub(crate) fn note(&mut self, at: u64, event: Event) {
        self.made += 1;
        self.events.insert((at, self.made), event);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
