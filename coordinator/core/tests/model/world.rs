//! A coordinator, clients and nodes, and the time, all from a seed.

use std::collections::BTreeMap;

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::messages::*;
use dray_wire::{Epoch, Message, Role, SessionId, Text};

use crate::checker::Checker;
use crate::nodes::Node;
use crate::random::Random;

pub(crate) const FILE_SYSTEMS: [[u8; 16]; 2] = [[1; 16], [2; 16]];
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const EPOCH: Epoch = Epoch(1);

/// What is done wrong on purpose, once, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    OutcomeLost,
    OutcomeTwice,
    GrantLost,
    ReplyLost,
    /// Nodes act longer than their lease.
    LeaseLonger,
}

pub(crate) struct World {
    pub(crate) core: Coordinator,
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) checker: Checker,
    pub(crate) clients: Vec<u32>,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) lease_ns: u64,
    wrong: Wrong,
    /// Of everything that came out, if asked for.
    pub(crate) trace: Option<u64>,
    pub(crate) outputs: u64,
    next: u64,
    replies: BTreeMap<(u32, u64), Message>,
}

impl World {
    pub(crate) fn new(seed: u64, wrong: Wrong, traced: bool) -> Self {
        let setup = Setup { split_bytes: 4 << 20, part_bytes: 1 << 20, ..Setup::default() };
        let lease_ns = setup.lease_ns;
        let mut checker = Checker::default();
        let longer = if wrong == Wrong::LeaseLonger { 3 } else { 1 };
        checker.movers.lease_ns = lease_ns * longer;
        Self {
            core: Coordinator::new(setup),
            now: 1,
            random: Random(seed),
            checker,
            clients: Vec::new(),
            sessions: Vec::new(),
            nodes: Vec::new(),
            lease_ns,
            wrong,
            trace: traced.then_some(0xcbf2_9ce4_8422_2325),
            outputs: 0,
            next: 0,
            replies: BTreeMap::new(),
        }
    }

    fn note(&mut self, output: &Output) {
        self.outputs += 1;
        if let Some(trace) = &mut self.trace {
            for byte in format!("{output:?}").bytes() {
                *trace = (*trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }

    /// Whether an output is the one to be spoilt.
    fn spoils(&mut self, output: &Output) -> bool {
        let Output::Send { request, message, .. } = output else { return false };
        let is_it = match self.wrong {
            Wrong::Nothing | Wrong::LeaseLonger => false,
            Wrong::OutcomeLost | Wrong::OutcomeTwice => matches!(message, Message::Outcomes(_)),
            Wrong::GrantLost => matches!(message, Message::Grant(_)),
            Wrong::ReplyLost => *request != 0 && matches!(message, Message::Done(_)),
        };
        is_it && self.random.one_in(4)
    }

    pub(crate) fn pump(&mut self) {
        while let Some(output) = self.core.next_output() {
            self.note(&output);
            if self.spoils(&output) {
                let again = self.wrong == Wrong::OutcomeTwice;
                self.wrong = Wrong::Nothing;
                if !again {
                    continue;
                }
                self.deliver(output.clone());
            }
            self.deliver(output);
        }
    }

    fn deliver(&mut self, output: Output) {
        self.checker.output(&output, self.now);
        match output {
            Output::Close { connection } => {
                self.clients.retain(|own| *own != connection);
                self.node_cut(connection);
                self.core.disconnected(self.now, connection);
            }
            Output::Send { connection, request, message } => {
                if let Message::Order(order) = message {
                    self.node_gets(connection, order);
                } else if let Message::CancelOrder(it) = message {
                    self.node_told(connection, &it);
                } else if request != 0 {
                    self.replies.insert((connection, request), message);
                }
            }
        }
    }

    pub(crate) fn connect(&mut self, role: Role, name: &str) -> u32 {
        let connection = self.core.connected(self.now, Peer::Same).expect("few connections");
        self.checker.connected.insert(connection);
        let name = Text::new(name);
        let hello = Hello { version_from: 1, version_to: 1, role, name, ..Hello::default() };
        self.ask(connection, hello);
        connection
    }

    pub(crate) fn disconnect(&mut self, connection: u32) {
        self.checker.gone(connection);
        self.clients.retain(|own| *own != connection);
        self.node_cut(connection);
        self.core.disconnected(self.now, connection);
        self.pump();
    }

    /// Says something; what is replied at once.
    pub(crate) fn ask(&mut self, connection: u32, message: impl Into<Message>) -> Option<Message> {
        self.next += 1;
        let request = self.next;
        let message = message.into();
        self.checker.input(connection, request, &message, self.now);
        self.core.handle(self.now, connection, request, message);
        self.pump();
        let reply = self.replies.remove(&(connection, request));
        // What came late for others is looked at by nobody but the checker.
        self.replies.clear();
        reply
    }

    /// A frame out of order: its connection is closed.
    pub(crate) fn offend(&mut self, connection: u32) {
        self.core.handle(self.now, connection, 0, Ping::default().into());
        while let Some(output) = self.core.next_output() {
            self.note(&output);
            self.deliver(output);
        }
    }

    fn tick_until(&mut self, until: u64) {
        while let Some(due) = self.core.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.checker.movers.pass(self.now);
            self.core.tick(self.now);
            self.pump();
        }
        self.now = until;
        self.checker.movers.pass(self.now);
        self.core.tick(self.now);
        self.pump();
    }

    /// Lets time pass, in which nodes that are well renew their leases.
    pub(crate) fn sleep(&mut self, ns: u64) {
        let until = self.now + ns;
        while self.now < until {
            self.tick_until(until.min(self.now + self.lease_ns / 3));
            self.renew();
        }
    }

    pub(crate) fn all_sessions(&mut self, client: u32) -> Vec<SessionId> {
        let ask = ListSessions { limit: 1000, ..ListSessions::default() };
        match self.ask(client, ask) {
            Some(Message::Sessions(it)) => it.sessions.0.iter().map(|it| it.session).collect(),
            other => panic!("{other:?}"),
        }
    }
}
