//! Nodes: who has joined, until when he may act, and what he has to do.

use std::collections::{BTreeMap, BTreeSet};

use dray_wire::limits::BODY_MAX;
use dray_wire::messages::{Nodes as NodeList, *};
use dray_wire::{FileHandle, List, NodeId, Reason, SessionId, Text, Token};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::bandwidth::Bandwidth;
use crate::coordinator::Coordinator;
use crate::journal::Record;
use crate::limits::{WINDOW_ITEMS, WINDOW_ORDERS};
use crate::machine::{NODE, may_follow};
use crate::outbox::Refusal;
use crate::placement::Candidate;
use crate::talk::At;

/// What a node does with blocked readers and interactive users is apart from all else, so that
/// neither waits for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Urgent,
    Bulk,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Urgent, Self::Bulk];

    pub(crate) fn of(class: usize) -> Self {
        if class < 2 { Self::Urgent } else { Self::Bulk }
    }

    pub(crate) fn classes(self) -> std::ops::Range<usize> {
        match self {
            Self::Urgent => 0..2,
            Self::Bulk => 2..4,
        }
    }
}

/// What is under way in a lane of a node.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) orders: u32,
    pub(crate) items: u32,
}

/// States of [`NODE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Alive,
    /// Its connection has ended, its lease not yet.
    Silent,
    Gone,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) state: State,
    /// That of a node which is alive.
    pub(crate) connection: Option<u32>,
    pub(crate) cores: u16,
    /// By index.
    pub(crate) file_systems: BTreeSet<u32>,
    /// It reaches all.
    pub(crate) everywhere: bool,
    /// Until then it may act, on the coordinator's clock.
    pub(crate) lease_until_ns: u64,
    /// When that is looked at next.
    pub(crate) due_ns: u64,
    /// By its own clock its lease has ended: nothing is posted until it is renewed, or each of its
    /// refusals would count against the same request.
    pub(crate) lapsed: bool,
    pub(crate) lanes: [Window; 2],
    /// Parts of split files under way on each core.
    pub(crate) core_parts: Vec<u32>,
    /// Orders posted and not done.
    pub(crate) orders: BTreeSet<u32>,
    /// Sessions granted to it.
    pub(crate) sessions: BTreeSet<SessionId>,
    /// Rights held until it surely acts no more, for work that was given to others before.
    pub(crate) shadows: Vec<(FileHandle, Token)>,
    pub(crate) load: u32,
    pub(crate) done: u64,
    pub(crate) bytes: u64,
    pub(crate) core_bytes: Vec<u64>,
}

impl Node {
    pub(crate) fn go(&mut self, to: State) {
        assert!(may_follow(NODE, self.state.word(), to.word()), "{:?} to {to:?}", self.state);
        self.state = to;
    }

    //= docs/wire.md#w-67
    pub(crate) fn reaches(&self, file_system: u32) -> bool {
        self.everywhere || self.file_systems.contains(&file_system)
    }

    pub(crate) fn has_room(&self, lane: Lane) -> bool {
        let window = &self.lanes[lane as usize];
        let orders = WINDOW_ORDERS * u32::from(self.cores.max(1));
        self.may_act() && window.orders < orders && window.items < WINDOW_ITEMS
    }

    /// Whether it takes orders, as far as is known.
    pub(crate) fn may_act(&self) -> bool {
        self.connection.is_some() && !self.lapsed
    }

    pub(crate) fn credit(&mut self, core: u16, bytes: u64) {
        self.done += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(own) = self.core_bytes.get_mut(usize::from(core)) {
            *own = own.saturating_add(bytes);
        }
    }
}

/// File systems by index, and their limits.
#[derive(Debug, Default)]
pub(crate) struct FileSystems {
    indices: HashMap<[u8; 16], u32, FixedState>,
    pub(crate) limits: BTreeMap<u32, Bandwidth>,
    pub(crate) session_limits: BTreeMap<u32, Bandwidth>,
}

impl FileSystems {
    pub(crate) fn index(&mut self, file_system: [u8; 16]) -> u32 {
        let next = self.indices.len() as u32;
        *self.indices.entry(file_system).or_insert(next)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    slots: Vec<Option<Node>>,
}

impl Nodes {
    pub(crate) fn get(&self, slot: u16) -> Option<&Node> {
        self.slots.get(usize::from(slot))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u16) -> Option<&mut Node> {
        self.slots.get_mut(usize::from(slot))?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Node)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, node)| Some((slot as u16, node.as_ref()?)))
    }

    pub(crate) fn slots(&self) -> u16 {
        self.slots.len() as u16
    }

    pub(crate) fn add(&mut self, node: Node) -> Option<u16> {
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        if slot >= dray_wire::limits::NODES_MAX {
            return None;
        }
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(node);
        Some(slot as u16)
    }

    pub(crate) fn remove(&mut self, slot: u16) -> Option<Node> {
        self.slots.get_mut(usize::from(slot))?.take()
    }
}

pub(crate) fn slot_of(node: NodeId) -> u16 {
    node.0.wrapping_sub(1)
}

pub(crate) fn id_of(slot: u16) -> NodeId {
    NodeId(slot + 1)
}

impl Coordinator {
    /// Nodes that could take work on a file system, with what they have.
    pub(crate) fn candidates(&self, file_system: u32) -> (Vec<u16>, Vec<Candidate>) {
        let able = self
            .nodes
            .iter()
            .filter(|(_, node)| node.connection.is_some() && node.reaches(file_system));
        let candidate = |(slot, node): (u16, &Node)| {
            let under_way: u64 = node.lanes.iter().map(|lane| u64::from(lane.items)).sum();
            let own = self.queue.backlog(slot) + under_way;
            // The coordinator's own node has something else to do, too.
            let load = if node.name == self.setup.name { 2 * own } else { own };
            (slot, Candidate { seed: node.seed, load })
        };
        able.map(candidate).unzip()
    }

    pub(crate) fn list_nodes(&mut self, at: At) {
        let own = self.setup.name.clone();
        let now = self.now_ns;
        // With all cores of a very large cluster the list would not fit a frame.
        let cores: usize = self.nodes.iter().map(|(_, node)| node.core_bytes.len()).sum();
        let with_cores = cores * size_of::<u64>() <= BODY_MAX / 2;
        let info = |(slot, node): (u16, &Node)| NodeInfo {
            node: id_of(slot),
            cores: node.cores,
            running: node.orders.len() as u32,
            load: node.load,
            lease_left_ms: (node.lease_until_ns.saturating_sub(now) / 1_000_000) as u32,
            done: node.done,
            bytes: node.bytes,
            core_bytes: List(if with_cores { node.core_bytes.clone() } else { Vec::new() }),
            coordinator: u8::from(node.name == own),
            name: Text::new(&node.name),
            ..NodeInfo::default()
        };
        let nodes = List(self.nodes.iter().map(info).collect());
        // Nothing of this is recorded.
        self.reply_now(at.0, at.1, NodeList { nodes });
    }

    /// What was held up may go on, anywhere.
    pub(crate) fn touch_all(&mut self) {
        for slot in 0..self.nodes.slots() {
            self.queue.touch(slot);
        }
    }

    /// A session's id names nothing any more.
    pub(crate) fn withdraw_session(&mut self, session: SessionId) {
        let epoch = self.setup.epoch;
        for slot in 0..self.nodes.slots() {
            let Some(node) = self.nodes.get_mut(slot) else { continue };
            if let (true, Some(connection)) = (node.sessions.remove(&session), node.connection) {
                let withdraw = Withdraw { epoch, session, token: Token::NONE };
                self.out.send(connection, 0, withdraw);
            }
        }
    }

    pub(crate) fn set_limit(&mut self, at: At, it: &SetLimit) -> Result<(), Refusal> {
        self.check_store()?;
        let limit =
            (it.bytes_per_second > 0).then(|| Bandwidth::new(it.bytes_per_second, self.now_ns));
        let (limits, key) = match it.scope {
            FILE_SYSTEM => {
                let index = self.file_systems.index(it.file_system);
                (&mut self.file_systems.limits, index)
            }
            SESSION => {
                let session = self.session(it.session)?;
                (&mut self.file_systems.session_limits, session)
            }
            scope => {
                let text = format!("scope {scope} of a limit");
                return Err(Refusal::new(Reason::UNKNOWN_VALUE, scope.into(), text));
            }
        };
        self.timers.clear_bandwidth();
        match limit {
            Some(limit) => drop(limits.insert(key, limit)),
            None => drop(limits.remove(&key)),
        }
        if it.scope == SESSION {
            self.keep_session(key);
        } else {
            let (file_system, rate) = (it.file_system, it.bytes_per_second);
            self.journal.put(&Record::Limit { file_system, rate });
        }
        self.touch_all();
        self.reply_done(at.0, at.1);
        Ok(())
    }
}
