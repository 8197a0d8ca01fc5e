//! A node as its agent runs it: it joins, keeps its lease, takes orders, reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use dray_archive::Archive;
use dray_node::admission::Admission;
use dray_sim::Sim;
use dray_wire::messages::*;
use dray_wire::{Epoch, List, Message, OrderId, Role, Text, VERSION};

use crate::agenda::Event;
use crate::clock::{Clock, MS};
use crate::cluster::{Cluster, Party, Wrong};
use crate::work::{Lane, Task};

/// A lease is renewed so many times in its length.
const RENEWALS: u64 = 3;
/// Longest wait for an answer to Hello and Join.
const PATIENCE_MS: u64 = 3000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeEvent {
    Connect,
    Renew {
        link: usize,
    },
    Work(Lane),
    /// Looks whether what was begun under an ended connection is over.
    Settle,
    GiveUp {
        link: usize,
    },
}

/// An order that was admitted.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) order: Order,
    pub(crate) link: usize,
    pub(crate) left: usize,
    pub(crate) cancelled: BTreeSet<u32>,
    results: Vec<ItemResult>,
}

pub(crate) struct Node {
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    pub(crate) paused_until: u64,
    pub(crate) apart_until: u64,
    pub(crate) process: Sim,
    /// Of each lane one: an archive has locks that are held over operations, and lanes go on in
    /// the midst of those of others.
    pub(crate) archives: BTreeMap<Lane, Arc<Archive<Sim>>>,
    pub(crate) orders: BTreeMap<OrderId, Taken>,
    pub(crate) queues: BTreeMap<Lane, VecDeque<Task>>,
    pub(crate) busy: BTreeSet<Lane>,
    admission: Admission,
    link: Option<usize>,
    joined: bool,
    epoch: Epoch,
    /// By the number of the request: when it was sent, on the own clock.
    renewals: BTreeMap<u64, u64>,
    requests: u64,
    lease_until: u64,
}

impl Node {
    pub(crate) fn new(life: u64, clock: Clock, process: Sim) -> Self {
        Self {
            life,
            clock,
            paused_until: 0,
            apart_until: 0,
            process,
            archives: BTreeMap::new(),
            orders: BTreeMap::new(),
            queues: BTreeMap::new(),
            busy: BTreeSet::new(),
            admission: Admission::default(),
            link: None,
            joined: false,
            epoch: Epoch::NONE,
            renewals: BTreeMap::new(),
            requests: 0,
            lease_until: 0,
        }
    }

    pub(crate) fn lease_left(&self, now: u64) -> u64 {
        self.lease_until.saturating_sub(self.clock.local(now))
    }

    fn extend(&mut self, sent: u64, lease_ms: u32) {
        self.lease_until = self.lease_until.max(sent + u64::from(lease_ms) * MS);
    }

    pub(crate) fn is_member(&self) -> bool {
        self.joined
    }
}

impl Cluster {
    pub(crate) fn note_node(&mut self, at: u64, node: usize, what: NodeEvent) {
        let life = self.nodes[node].life;
        self.agenda.note(at, Event::Node { node, life, what });
    }

    fn ask_as_node(&mut self, node: usize, link: usize, message: impl Into<Message>) -> u64 {
        let own = &mut self.nodes[node];
        own.requests += 1;
        let request = own.requests;
        self.send(link, true, request, message);
        request
    }

    pub(crate) fn node_acts(&mut self, node: usize, life: u64, what: NodeEvent) {
        if self.nodes[node].life != life {
            return;
        }
        match what {
            NodeEvent::Connect => self.node_connects(node),
            NodeEvent::Renew { link } if self.nodes[node].link == Some(link) => {
                self.node_renews(node, link);
            }
            NodeEvent::GiveUp { link } => {
                let own = &self.nodes[node];
                if own.link == Some(link) && !own.joined {
                    self.close(link, true);
                    self.node_loses(node, link);
                }
            }
            NodeEvent::Settle => {
                let at = self.now + 5 * MS;
                let over = self.nodes[node].orders.is_empty();
                let what = if over { NodeEvent::Connect } else { NodeEvent::Settle };
                let at = if over { self.soon(300) } else { at };
                self.note_node(at, node, what);
            }
            NodeEvent::Renew { .. } => {}
            NodeEvent::Work(_) => unreachable!("done without the lock"),
        }
    }

    fn node_connects(&mut self, node: usize) {
        let host = self.random.index(self.hosts.len());
        let link = self.dial(Party::Node(node), host);
        let own = &mut self.nodes[node];
        (own.link, own.joined, own.requests) = (Some(link), false, 0);
        own.renewals.clear();
        let hello = Hello {
            version_from: VERSION,
            version_to: VERSION,
            role: Role::NODE,
            name: Text::new(&format!("node-{node}")),
            ..Hello::default()
        };
        self.ask_as_node(node, link, hello);
        self.note_node(self.now + PATIENCE_MS * MS, node, NodeEvent::GiveUp { link });
    }

    fn node_renews(&mut self, node: usize, link: usize) {
        let own = &self.nodes[node];
        let (epoch, sent_ns) = (own.epoch, own.clock.local(self.now));
        let load = own.orders.len() as u32;
        let request =
            self.ask_as_node(node, link, Renew { epoch, sent_ns, load, ..Renew::default() });
        let own = &mut self.nodes[node];
        own.renewals.insert(request, sent_ns);
        let next = own.clock.when(sent_ns + crate::host::LEASE_NS / RENEWALS);
        self.note_node(next, node, NodeEvent::Renew { link });
    }

    pub(crate) fn node_hears(&mut self, node: usize, link: usize, request: u64, message: Message) {
        if self.nodes[node].link != Some(link) {
            return;
        }
        let now = self.now;
        let own = &mut self.nodes[node];
        match message {
            Message::Welcome(_) => {
                let cores = 1;
                let file_systems = List(vec![[0; 16]]);
                let sent = own.clock.local(now);
                let join = Join { cores, file_systems, ..Join::default() };
                let request = self.ask_as_node(node, link, join);
                self.nodes[node].renewals.insert(request, sent);
            }
            Message::Joined(joined) if joined.epoch >= own.epoch => {
                own.joined = true;
                own.epoch = joined.epoch;
                own.admission.begin(joined.epoch);
                let sent = own.renewals.remove(&request).expect("it was asked for");
                own.extend(sent, joined.lease_ms);
                self.note_node(now, node, NodeEvent::Renew { link });
            }
            Message::Renewed(renewed) => {
                let sent = own.renewals.remove(&request).expect("it was asked for");
                if renewed.epoch >= own.epoch {
                    own.extend(sent, renewed.lease_ms);
                }
            }
            Message::Grant(grant) => own.admission.grant(grant),
            Message::Withdraw(withdraw) => own.admission.withdraw(&withdraw),
            Message::Order(order) => self.node_ordered(node, link, order),
            Message::CancelOrder(it) => {
                if let Some(taken) = own.orders.get_mut(&it.order) {
                    taken.cancelled.extend(it.items.0);
                }
            }
            // Not here, not now: it tries elsewhere, or again.
            _ => {
                self.close(link, true);
                self.node_loses(node, link);
            }
        }
    }

    fn node_ordered(&mut self, node: usize, link: usize, order: Order) {
        let unchecked = self.wrong == Wrong::NothingChecked;
        let own = &mut self.nodes[node];
        let lease_left = own.lease_left(self.now);
        if let Err(why) = own.admission.admit(&order, lease_left)
            && !unchecked
        {
            let (epoch, order) = (order.epoch, order.order);
            let (reason, text) = (why.reason, Text::new(&why.text));
            let refused = OrderRefused { epoch, order, reason, text, ..OrderRefused::default() };
            return self.send(link, true, 0, refused);
        }
        let (id, epoch, step, verb) = (order.order, order.epoch, order.step, order.verb);
        let lane = Lane::of(&order);
        let queue = own.queues.entry(lane).or_default();
        for (index, item) in order.items.0.iter().enumerate() {
            let index = index as u32;
            queue.push_back(Task { order: id, epoch, index, item: item.clone(), step, verb });
        }
        let left = order.items.0.len();
        let (cancelled, results) = (BTreeSet::new(), Vec::new());
        own.orders.insert(id, Taken { order, link, left, cancelled, results });
        let at = self.soon(2);
        self.note_node(at, node, NodeEvent::Work(lane));
    }

    /// Answers an item of an order.
    pub(crate) fn node_answers(&mut self, node: usize, task: &Task, result: ItemResult) {
        let own = &mut self.nodes[node];
        let Some(taken) = own.orders.get_mut(&task.order) else { return };
        taken.left -= 1;
        taken.results.push(ItemResult { index: task.index, ..result });
        if taken.left > 0 {
            return;
        }
        let Taken { order, link, results, .. } =
            own.orders.remove(&task.order).expect("it was just seen");
        if own.link != Some(link) {
            return;
        }
        own.admission.over(order.order);
        let (epoch, order, results) = (order.epoch, order.order, List(results));
        self.send(link, true, 0, OrderDone { epoch, order, results });
    }

    /// The connection has ended: nothing new is begun, and what has begun is waited for.
    pub(crate) fn node_loses(&mut self, node: usize, link: usize) {
        let own = &mut self.nodes[node];
        if own.link != Some(link) {
            return;
        }
        (own.link, own.joined, own.lease_until) = (None, false, 0);
        self.close(link, true);
        self.checks.losses.node(node, self.now);
        self.note_node(self.now, node, NodeEvent::Settle);
    }

    /// The process is killed, and starts again some time later.
    pub(crate) fn node_dies(&mut self, node: usize) {
        self.checks.counts.killed += 1;
        let own = &mut self.nodes[node];
        own.process.kill();
        let link = own.link;
        let (life, clock, apart_until) = (own.life + 1, own.clock.clone(), own.apart_until);
        *own = Node::new(life, clock, self.sim.process());
        own.apart_until = apart_until;
        if let Some(link) = link {
            self.close(link, true);
        }
        self.checks.losses.node(node, self.now);
        let at = self.soon(if self.calm { 10 } else { 4000 });
        self.note_node(at, node, NodeEvent::Connect);
    }
}
