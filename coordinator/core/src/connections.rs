//! Connections: who is there, and whether he keeps to the rules.

use std::collections::BTreeMap;

use dray_wire::messages::Hello;
use dray_wire::{FileHandle, NodeId, Reason, Role};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::limits::{CONNECTIONS_MAX, NODE_CREDITS};
use crate::outbox::Refusal;

/// Who the peer is, as the socket tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// In the same process: whatever it says it is.
    Same,
    /// A user of this machine who may use the socket; `owner` if it is the daemon's own.
    Local {
        uid: u32,
        owner: bool,
    },
    /// By its certificate.
    Node {
        name: String,
    },
    Client {
        name: String,
    },
}

/// What a request of a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Right(FileHandle),
    /// Of this session.
    Events(u32),
}

#[derive(Debug)]
pub(crate) struct Connection {
    peer: Peer,
    pub(crate) role: Role,
    pub(crate) greeted: bool,
    pub(crate) name: String,
    pub(crate) node: NodeId,
    /// The number of the request that came last.
    last: u64,
    /// Requests without a reply.
    open: u32,
    credits: u32,
    /// Requests that wait, so that they can be forgotten with the connection.
    pub(crate) waits: BTreeMap<u64, Wait>,
}

impl Connection {
    /// Whether a request may be looked at.
    pub(crate) fn admit(&mut self, request: u64, is_report: bool) -> Result<(), Refusal> {
        if !self.greeted {
            return Err(Refusal::new(Reason::OUT_OF_ORDER, 0, "say Hello first"));
        }
        if is_report {
            return Ok(());
        }
        //= docs/wire.md#w-7
        if request <= self.last {
            let text = format!("request {request} after {}", self.last);
            return Err(Refusal::new(Reason::OUT_OF_ORDER, request, text));
        }
        self.last = request;
        //= docs/wire.md#w-9
        if self.open >= self.credits {
            return Err(Refusal::new(Reason::NO_CREDIT, request, "wait for replies"));
        }
        self.open += 1;
        Ok(())
    }

    /// A request that is answered without being looked at further.
    pub(crate) fn seen(&mut self, request: u64) {
        self.last = self.last.max(request);
    }

    pub(crate) fn answered(&mut self, request: u64) {
        self.waits.remove(&request);
        self.open = self.open.saturating_sub(1);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    all: HashMap<u32, Connection, FixedState>,
    last: u32,
}

impl Connections {
    pub(crate) fn add(&mut self, peer: Peer) -> Option<u32> {
        if self.all.len() >= CONNECTIONS_MAX {
            return None;
        }
        self.last = self.last.checked_add(1)?;
        let connection = Connection {
            peer,
            role: Role::CLIENT,
            greeted: false,
            name: String::new(),
            node: NodeId::NONE,
            last: 0,
            open: 0,
            credits: dray_wire::limits::CREDITS,
            waits: BTreeMap::new(),
        };
        self.all.insert(self.last, connection);
        Some(self.last)
    }

    /// Notes what a peer says it is; a refusal if it is not.
    //= docs/wire.md#w-12
    pub(crate) fn welcome(&mut self, connection: u32, hello: &Hello) -> Option<Refusal> {
        let state = self.all.get_mut(&connection)?;
        let name = hello.name.as_str();
        let allowed = match (&state.peer, hello.role) {
            (Peer::Same, Role::CLIENT | Role::NODE) => true,
            (Peer::Local { owner, .. }, Role::NODE) => *owner,
            (Peer::Node { name: known }, Role::NODE) => known == name,
            (_, Role::CLIENT) => true,
            (Peer::Client { .. }, Role::NODE) => false,
            (_, role) => {
                let text = format!("{role} is no role");
                return Some(Refusal::new(Reason::UNKNOWN_VALUE, role.0.into(), text));
            }
        };
        if !allowed {
            let text = "the role of a node needs the certificate of the node with this name";
            return Some(Refusal::new(Reason::NOT_ALLOWED, 0, text));
        }
        state.greeted = true;
        state.role = hello.role;
        state.name = name.to_owned();
        if state.role == Role::NODE {
            state.credits = NODE_CREDITS;
        }
        None
    }

    pub(crate) fn get(&self, connection: u32) -> Option<&Connection> {
        self.all.get(&connection)
    }

    pub(crate) fn get_mut(&mut self, connection: u32) -> Option<&mut Connection> {
        self.all.get_mut(&connection)
    }

    pub(crate) fn remove(&mut self, connection: u32) -> Option<Connection> {
        self.all.remove(&connection)
    }

    /// All that are there, in the order in which they came.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.all.keys().copied().collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
