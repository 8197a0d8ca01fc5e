//! A process in which a coordinator may run.

use std::collections::BTreeMap;

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::{Epoch, Message, Status};

use crate::agenda::{Event, HostEvent};
use crate::clock::{Clock, MS};
use crate::cluster::{Cluster, Party, Wrong};

/// Nanoseconds that a node may act without renewal.
pub(crate) const LEASE_NS: u64 = 2500 * MS;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    pub(crate) paused_until: u64,
    pub(crate) apart_until: u64,
    core: Option<Coordinator>,
    /// Connections by the coordinator's number for them.
    links: BTreeMap<u32, usize>,
    /// When it is woken next.
    tick_at: u64,
}

impl Host {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            life: 0,
            clock,
            paused_until: 0,
            apart_until: 0,
            core: None,
            links: BTreeMap::new(),
            tick_at: u64::MAX,
        }
    }

    /// Requests that have not ended, if it coordinates.
    pub(crate) fn open_requests(&self) -> Option<usize> {
        self.core.as_ref().map(Coordinator::open_requests)
    }
}

impl Cluster {
    pub(crate) fn host_acts(&mut self, host: usize, life: u64, what: HostEvent) {
        if self.hosts[host].life != life {
            return;
        }
        match what {
            HostEvent::Start => {
                let split = self.scenario.split_bytes;
                let split_bytes = if split == 0 { u64::MAX } else { split };
                let setup = Setup {
                    epoch: Epoch(1),
                    lease_ns: LEASE_NS,
                    split_bytes,
                    part_bytes: split.max(1),
                    ..Setup::default()
                };
                self.hosts[host].core = Some(Coordinator::new(setup));
            }
            HostEvent::Tick => {
                self.hosts[host].tick_at = u64::MAX;
                let local = self.hosts[host].clock.local(self.now);
                if let Some(core) = &mut self.hosts[host].core {
                    core.tick(local);
                }
            }
        }
        self.host_speaks(host);
    }

    pub(crate) fn host_hears(&mut self, link: usize, request: u64, message: Message) {
        let (host, life) = (self.links[link].host, self.links[link].host_life);
        let Self { hosts, links, now, trace, .. } = self;
        let own = &mut hosts[host];
        trace.say(*now, || format!("to {host} by {link}: {request} {message:?}"));
        if own.life != life {
            return self.close(link, false);
        }
        let local = own.clock.local(*now);
        let Some(core) = &mut own.core else { return self.close(link, false) };
        let peer = match links[link].peer {
            Some(peer) => peer,
            None => {
                let peer = core.connected(local, Peer::Same).expect("few connections");
                links[link].peer = Some(peer);
                own.links.insert(peer, link);
                peer
            }
        };
        core.handle(local, peer, request, message);
        self.host_speaks(host);
    }

    pub(crate) fn host_loses(&mut self, link: usize) {
        let Some(peer) = self.links[link].peer else { return };
        let host = self.links[link].host;
        let own = &mut self.hosts[host];
        if own.life == self.links[link].host_life && own.links.remove(&peer).is_some() {
            let local = own.clock.local(self.now);
            if let Some(core) = &mut own.core {
                core.disconnected(local, peer);
            }
            self.close(link, false);
            self.host_speaks(host);
        }
    }

    /// Sends what the coordinator has to say, and wakes it when it wants to be.
    fn host_speaks(&mut self, host: usize) {
        while let Some(core) = &mut self.hosts[host].core
            && let Some(output) = core.next_output()
        {
            match output {
                Output::Send { connection, request, message } => {
                    if let Some(link) = self.hosts[host].links.get(&connection).copied() {
                        self.host_says(link, request, message);
                    }
                }
                Output::Close { connection } => {
                    if let Some(link) = self.hosts[host].links.remove(&connection) {
                        self.close(link, false);
                    }
                }
            }
        }
        let own = &self.hosts[host];
        let Some(deadline) = own.core.as_ref().and_then(Coordinator::deadline) else { return };
        let at = own.clock.when(deadline).max(self.now);
        if at < own.tick_at {
            let life = own.life;
            self.hosts[host].tick_at = at;
            self.agenda.note(at, Event::Host { host, life, what: HostEvent::Tick });
        }
    }

    fn host_says(&mut self, link: usize, request: u64, mut message: Message) {
        self.trace.say(self.now, || format!("from host by {link}: {request} {message:?}"));
        if let (Message::Order(order), Party::Node(node)) = (&message, self.links[link].caller) {
            self.checks.posted(node, order);
        }
        if self.wrong == Wrong::OutcomeTurned
            && let Message::Outcomes(outcomes) = &mut message
            && self.random.below(4) == 0
        {
            for outcome in &mut outcomes.outcomes.0 {
                outcome.status = Status::FAILED;
            }
        }
        self.send(link, false, request, message);
    }

    /// The process is killed.
    pub(crate) fn host_dies(&mut self, host: usize) {
        let own = &mut self.hosts[host];
        own.life += 1;
        own.core = None;
        own.tick_at = u64::MAX;
        for link in std::mem::take(&mut own.links).into_values() {
            self.close(link, false);
        }
    }
}
