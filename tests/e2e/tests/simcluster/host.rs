//! A process in which a coordinator may run: the messages to and from it.

use std::collections::BTreeMap;

use dray_core::{Coordinator, Output, Peer};
use dray_wire::{Message, Status};

use crate::agenda::{Event, HostEvent};
use crate::clock::{Clock, MS};
use crate::cluster::{Cluster, Party, Wrong};
use crate::leader::Term;

/// Nanoseconds that a node may act without renewal.
pub(crate) const LEASE_NS: u64 = 2500 * MS;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    pub(crate) paused_until: u64,
    pub(crate) apart_until: u64,
    /// Its election is no longer ago than that.
    pub(crate) recovers_until: u64,
    /// Questions to the store.
    pub(crate) asked: u64,
    pub(crate) core: Option<Coordinator>,
    pub(crate) term: Term,
    /// Connections by the coordinator's number for them.
    pub(crate) links: BTreeMap<u32, usize>,
    /// When it is woken next.
    pub(crate) tick_at: u64,
}

impl Host {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            life: 0,
            clock,
            paused_until: 0,
            apart_until: 0,
            recovers_until: 0,
            asked: 0,
            core: None,
            term: Term::default(),
            links: BTreeMap::new(),
            tick_at: u64::MAX,
        }
    }

    pub(crate) fn local(&self, now: u64) -> u64 {
        self.clock.local(now)
    }

    /// Requests that have not ended, if it coordinates.
    pub(crate) fn open_requests(&self) -> Option<usize> {
        self.core.as_ref().map(Coordinator::open_requests)
    }
}

impl Cluster {
    pub(crate) fn note_host(&mut self, at: u64, host: usize, what: HostEvent) {
        let life = self.hosts[host].life;
        self.agenda.note(at, Event::Host { host, life, what });
    }

    pub(crate) fn host_acts(&mut self, host: usize, life: u64, what: HostEvent) {
        if self.hosts[host].life != life {
            return;
        }
        match what {
            HostEvent::Start => self.host_starts(host),
            HostEvent::Prolong { epoch } => self.prolongs(host, epoch),
            HostEvent::Again { epoch, number } => self.keeps_again(host, epoch, number),
            HostEvent::Answer(answer) => self.store_answers(host, answer),
            HostEvent::Tick => {
                self.hosts[host].tick_at = u64::MAX;
                let local = self.hosts[host].local(self.now);
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
        let local = own.local(*now);
        let Some(core) = &mut own.core else { return self.close(link, false) };
        let peer = match links[link].peer {
            Some(peer) => peer,
            None => {
                let Some(peer) = core.connected(local, Peer::Same) else {
                    // It leads no more.
                    self.close(link, false);
                    return self.host_speaks(host);
                };
                links[link].peer = Some(peer);
                own.links.insert(peer, link);
                peer
            }
        };
        core.handle(local, peer, request, message);
        if !self.host_crashes(host, |faults| faults.coordinator_in_step) {
            self.host_speaks(host);
        }
    }

    pub(crate) fn host_loses(&mut self, link: usize) {
        let Some(peer) = self.links[link].peer else { return };
        let host = self.links[link].host;
        let own = &mut self.hosts[host];
        if own.life == self.links[link].host_life && own.links.remove(&peer).is_some() {
            self.loses_sight(link);
            let own = &mut self.hosts[host];
            let local = own.local(self.now);
            if let Some(core) = &mut own.core {
                core.disconnected(local, peer);
            }
            self.close(link, false);
            self.host_speaks(host);
        }
    }

    /// Sends what the coordinator has to say, has kept what is to be kept, and wakes it when it
    /// wants to be.
    pub(crate) fn host_speaks(&mut self, host: usize) {
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
                        self.loses_sight(link);
                        self.close(link, false);
                    }
                }
            }
        }
        self.keeps(host);
        let own = &self.hosts[host];
        let Some(deadline) = own.core.as_ref().and_then(Coordinator::deadline) else { return };
        let at = own.clock.when(deadline).max(self.now);
        if at < own.tick_at {
            self.hosts[host].tick_at = at;
            self.note_host(at, host, HostEvent::Tick);
        }
    }

    fn host_says(&mut self, link: usize, request: u64, mut message: Message) {
        self.trace.say(self.now, || format!("from host by {link}: {request} {message:?}"));
        if let Message::Order(order) = &message {
            self.checks.posted(order);
        }
        if self.wrong == Wrong::OutcomeTurned
            && let Message::Outcomes(outcomes) = &mut message
            && self.random.below(4) == 0
        {
            for outcome in &mut outcomes.outcomes.0 {
                outcome.status = Status::FAILED;
            }
        }
        let swallowed = match &message {
            Message::EventAnswered(_) => self.wrong == Wrong::AnswerSwallowed,
            Message::Outcomes(_) => self.wrong == Wrong::OutcomeSwallowed,
            _ => false,
        };
        if !(swallowed && self.random.below(8) == 0) {
            self.send(link, false, request, message);
        }
    }

    fn loses_sight(&mut self, link: usize) {
        if let Party::Node(node) = self.links[link].caller {
            self.checks.losses.node(node, self.now);
        }
    }

    /// The coordinator of this process is no more: whoever is connected is sent away.
    pub(crate) fn host_ends(&mut self, host: usize) {
        let own = &mut self.hosts[host];
        own.core = None;
        own.term = Term::default();
        own.tick_at = u64::MAX;
        for link in std::mem::take(&mut own.links).into_values() {
            self.close(link, false);
        }
        self.checks.losses.host(self.now);
    }

    /// The process is killed.
    pub(crate) fn host_dies(&mut self, host: usize) {
        self.checks.counts.killed += 1;
        self.host_ends(host);
        self.hosts[host].life += 1;
    }
}
