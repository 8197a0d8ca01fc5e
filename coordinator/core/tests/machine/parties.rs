//! Clients and nodes around a coordinator, in one thread.

use std::collections::{BTreeMap, VecDeque};

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::messages::*;
use dray_wire::{
    Bytes, Class, FileHandle, List, Message, NodeId, Reason, RequestId, Role, SessionId, Status,
    Text, Token, Verb,
};

pub(crate) const FS: [u8; 16] = [7; 16];
pub(crate) const MS: u64 = 1_000_000;

pub(crate) struct Parties {
    pub(crate) core: Coordinator,
    pub(crate) now: u64,
    /// What each connection got and has not looked at.
    pub(crate) inbox: BTreeMap<u32, VecDeque<(u64, Message)>>,
    pub(crate) closed: Vec<u32>,
    next: u64,
    setup: Setup,
    /// Blocks that a store has, oldest first.
    pub(crate) blocks: Vec<(u64, Vec<u8>)>,
}

impl Parties {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        Self {
            core: Coordinator::new(setup.clone()),
            setup,
            blocks: Vec::new(),
            now: 1,
            inbox: BTreeMap::new(),
            closed: Vec::new(),
            next: 0,
        }
    }

    /// A store keeps what there is to keep.
    pub(crate) fn keep(&mut self) {
        let mut last = 0;
        while let Some((number, block)) = self.core.take_block() {
            self.blocks.push((number, block));
            last = number;
        }
        let keep_from = self.core.keep_from();
        self.blocks.retain(|(number, _)| *number >= keep_from);
        self.core.kept(self.now, last);
        self.pump();
    }

    /// What is still true of the oldest block is kept anew.
    pub(crate) fn clean(&mut self) {
        let oldest = self.blocks[0].1.clone();
        self.core.clean(&oldest).expect("a block as it was kept");
        self.keep();
    }

    /// Another coordinator takes over what was kept.
    pub(crate) fn restart(&mut self) {
        self.setup.epoch.0 += 1;
        self.core = Coordinator::new(self.setup.clone());
        for (number, block) in &self.blocks {
            self.core.restore(*number, block).expect("a block as it was kept");
        }
        self.core.restored(self.now, 1);
        self.inbox.clear();
    }

    pub(crate) fn pump(&mut self) {
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Send { connection, request, message } => {
                    self.inbox.entry(connection).or_default().push_back((request, message));
                }
                Output::Close { connection } => {
                    self.closed.push(connection);
                    self.core.disconnected(self.now, connection);
                }
            }
        }
    }

    pub(crate) fn connect(&mut self, role: Role, name: &str) -> u32 {
        let connection = self.core.connected(self.now, Peer::Same).expect("there are few");
        let hello = Hello {
            version_from: 1,
            version_to: 1,
            role,
            name: Text::new(name),
            ..Hello::default()
        };
        assert!(matches!(self.ask(connection, hello), Message::Welcome(_)));
        connection
    }

    pub(crate) fn client(&mut self) -> u32 {
        self.connect(Role::CLIENT, "client")
    }

    pub(crate) fn node(&mut self, name: &str, cores: u16) -> (u32, NodeId) {
        let connection = self.connect(Role::NODE, name);
        let file_systems = List(vec![FS]);
        match self.ask(connection, Join { cores, file_systems, ..Join::default() }) {
            Message::Joined(joined) => (connection, joined.node),
            other => panic!("{other:?}"),
        }
    }

    /// Sends and does not look for a reply; the number of the request.
    pub(crate) fn tell(&mut self, connection: u32, message: impl Into<Message>) -> u64 {
        self.next += 1;
        self.core.handle(self.now, connection, self.next, message.into());
        self.pump();
        self.next
    }

    pub(crate) fn ask(&mut self, connection: u32, message: impl Into<Message>) -> Message {
        let request = self.tell(connection, message);
        self.reply(connection, request).expect("a reply")
    }

    pub(crate) fn refused(&mut self, connection: u32, message: impl Into<Message>) -> Reason {
        match self.ask(connection, message) {
            Message::Refused(refused) => refused.reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn reply(&mut self, connection: u32, request: u64) -> Option<Message> {
        let inbox = self.inbox.entry(connection).or_default();
        let at = inbox.iter().position(|(number, _)| *number == request)?;
        inbox.remove(at).map(|(_, message)| message)
    }

    pub(crate) fn session(&mut self, connection: u32) -> SessionId {
        match self.ask(connection, CreateSession::default()) {
            Message::SessionCreated(created) => created.session,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn submit(
        &mut self,
        connection: u32,
        session: SessionId,
        (class, verb): (Class, Verb),
        items: Vec<Item>,
    ) -> Vec<RequestId> {
        let submit = Submit { session, class, verb, items: List(items), ..Submit::default() };
        match self.ask(connection, submit) {
            Message::Accepted(accepted) => accepted.requests.0,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn orders(&mut self, connection: u32) -> Vec<Order> {
        let inbox = self.inbox.entry(connection).or_default();
        let taken = std::mem::take(inbox);
        let mut orders = Vec::new();
        for (request, message) in taken {
            match message {
                Message::Order(order) => orders.push(order),
                Message::Grant(_) => {}
                other => inbox.push_back((request, other)),
            }
        }
        orders
    }

    pub(crate) fn outcomes(&mut self, connection: u32) -> Vec<Outcome> {
        let inbox = self.inbox.entry(connection).or_default();
        let taken = std::mem::take(inbox);
        let mut outcomes = Vec::new();
        for (request, message) in taken {
            match message {
                Message::Outcomes(list) => outcomes.extend(list.outcomes.0),
                other => inbox.push_back((request, other)),
            }
        }
        outcomes
    }

    /// A node answers all of an order.
    pub(crate) fn finish(&mut self, connection: u32, order: &Order, status: Status) {
        let result = |index: usize| ItemResult {
            index: index as u32,
            core: order.core,
            status,
            bytes: if order.items.0[index].length > 0 {
                order.items.0[index].length
            } else {
                order.items.0[index].size
            },
            reason: if status == Status::FAILED { Reason::FAILED } else { Reason::NONE },
            receipt: Bytes::new(vec![order.step.0; 40]).expect("it is short"),
            ..ItemResult::default()
        };
        let results = List((0..order.items.0.len()).map(result).collect());
        let done = OrderDone { epoch: order.epoch, order: order.order, results };
        self.tell(connection, done);
    }

    /// Lets nodes do all they get until nobody has anything to do; orders by node.
    pub(crate) fn settle(&mut self, nodes: &[u32]) -> BTreeMap<u32, Vec<Order>> {
        let mut all: BTreeMap<u32, Vec<Order>> = BTreeMap::new();
        loop {
            let mut idle = true;
            for node in nodes {
                for order in self.orders(*node) {
                    idle = false;
                    self.finish(*node, &order, Status::DONE);
                    all.entry(*node).or_default().push(order);
                }
            }
            if idle {
                return all;
            }
        }
    }

    pub(crate) fn sleep(&mut self, ns: u64) {
        let until = self.now + ns;
        while let Some(due) = self.core.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.core.tick(self.now);
            self.pump();
        }
        self.now = until;
        self.core.tick(self.now);
        self.pump();
    }

    pub(crate) fn token(&mut self, connection: u32, session: SessionId) -> Token {
        let ask = CreateUserEvent { session, data: Bytes::default() };
        match self.ask(connection, ask) {
            Message::TokenIs(it) => it.token,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn info(&mut self, connection: u32, request: RequestId) -> RequestInfo {
        match self.ask(connection, ShowRequest { request }) {
            Message::Requests(requests) => requests.requests.0[0].clone(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn handle(inode: u64) -> FileHandle {
    FileHandle { file_system: FS, inode, generation: 1 }
}

pub(crate) fn item(inode: u64, size: u64) -> Item {
    Item { handle: handle(inode), size, kind: KIND_FILE, ..Item::default() }
}

pub(crate) const ARCHIVE: (Class, Verb) = (Class::ARCHIVE, Verb::ARCHIVE);
pub(crate) const RESTORE: (Class, Verb) = (Class::INTERACTIVE, Verb::RESTORE);
