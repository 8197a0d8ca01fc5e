//! The whole of it: who there is, what time it is, and the loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dray_sim::Sim;

use crate::agenda::{Agenda, Event};
use crate::checks::Checks;
use crate::clients::Client;
use crate::clock::MS;
use crate::host::Host;
use crate::injected::Injected;
use crate::network::Link;
use crate::node::{Node, NodeEvent};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::store::Store;
use crate::trace::Trace;
use crate::work::Call;

/// Who is connected, paused, crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Host(usize),
    Node(usize),
    Client(usize),
}

/// What is done wrong on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// Nodes act on after their lease.
    LeaseIgnored,
    /// Outcomes are told as failures now and then.
    OutcomeTurned,
    /// Nodes take orders without looking at their lease, right or epoch.
    NothingChecked,
    /// The store has lost its last block when the next coordinator reads it.
    BlockForgotten,
    /// A coordinator goes on when its lead has ended.
    LeadIgnored,
    /// A restore now and then writes a byte that was not in the file.
    ByteTurned,
    /// Programs take a right for theirs when they ask for it.
    RightAssumed,
    /// Answers to blocked readers, or outcomes, are lost now and then, and their connection is not.
    AnswerSwallowed,
    OutcomeSwallowed,
}

pub(crate) struct Cluster {
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) wrong: Wrong,
    pub(crate) agenda: Agenda,
    pub(crate) sim: Sim,
    pub(crate) links: Vec<Link>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) store: Store,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) injected: Injected,
    /// Faults and work have stopped.
    pub(crate) calm: bool,
    /// Calls of the mover under way, the innermost last.
    pub(crate) calls: Vec<Call>,
    pub(crate) me: Weak<Mutex<Self>>,
}

/// The cluster, as those have it who let it go on in the middle of a movement. Never locked while
/// the mover runs.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<Cluster>>);

/// Calls inside calls: the stack is only so deep.
const DEPTH: usize = 5;

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing happens; false if nothing will any more.
    pub(crate) fn step(&self) -> bool {
        let mut cluster = self.lock();
        let Some((at, event)) = cluster.agenda.next() else { return false };
        let passed = at.saturating_sub(cluster.now);
        cluster.sim.advance(passed);
        cluster.now += passed;
        let now = cluster.now;
        if let Some(until) = cluster.paused(&event) {
            cluster.agenda.note(until, event);
            return true;
        }
        cluster.trace.event(now, &event);
        cluster.observe();
        match event {
            Event::Node { node, life, what: NodeEvent::Work(lane) } => {
                if cluster.calls.len() >= DEPTH {
                    let event = Event::Node { node, life, what: NodeEvent::Work(lane) };
                    cluster.agenda.note(now + 10 * MS, event);
                } else {
                    drop(cluster);
                    self.work(node, life, lane);
                }
            }
            event => cluster.happen(event),
        }
        true
    }
}

impl Cluster {
    /// Until when the one that an event is for sleeps.
    fn paused(&self, event: &Event) -> Option<u64> {
        let party = match event {
            Event::Frame { link, up, .. } | Event::Ended { link, up } => {
                let link = &self.links[*link];
                if *up { Party::Host(link.host) } else { link.caller }
            }
            Event::Host { host, .. } => Party::Host(*host),
            Event::Node { node, .. } => Party::Node(*node),
            Event::Client { .. }
            | Event::Store { .. }
            | Event::User
            | Event::Chaos
            | Event::Calm => return None,
        };
        let until = match party {
            Party::Host(host) => self.hosts[host].paused_until,
            Party::Node(node) => self.nodes[node].paused_until,
            Party::Client(_) => 0,
        };
        (until > self.now).then_some(until)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Frame { link, up, number, bytes } => {
                if let Some((request, message)) = self.receive(link, up, number, &bytes) {
                    match self.links[link].caller {
                        _ if up => self.host_hears(link, request, message),
                        Party::Node(node) => self.node_hears(node, link, request, message),
                        Party::Client(client) => self.client_hears(client, link, request, message),
                        Party::Host(_) => unreachable!("coordinators are called"),
                    }
                }
            }
            Event::Ended { link, up } => {
                if !self.hears_end(link, up) {
                    return;
                }
                match self.links[link].caller {
                    _ if up => self.host_loses(link),
                    Party::Node(node) => self.node_loses(node, link),
                    Party::Client(client) => self.client_loses(client, link),
                    Party::Host(_) => unreachable!("coordinators are called"),
                }
            }
            Event::Host { host, life, what } => self.host_acts(host, life, what),
            Event::Store { host, life, number, ask } => {
                self.store_hears(host, life, number, ask);
            }
            Event::Node { node, life, what } => self.node_acts(node, life, what),
            Event::Client { client, life, what } => self.client_acts(client, life, what),
            Event::User => self.user_writes(),
            Event::Chaos => self.chaos(),
            Event::Calm => self.calm_down(),
        }
    }

    /// Until when nothing from or to somebody gets through.
    pub(crate) fn apart(&self, party: Party) -> u64 {
        match party {
            Party::Host(host) => self.hosts[host].apart_until,
            Party::Node(node) => self.nodes[node].apart_until,
            Party::Client(client) => self.clients[client].apart_until,
        }
    }

    /// In so many milliseconds of the true clock.
    pub(crate) fn soon(&mut self, most_ms: u64) -> u64 {
        self.now + MS + self.random.below(most_ms * MS)
    }
}
