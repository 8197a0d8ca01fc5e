//! What goes wrong outside movements, and how it comes to an end.

use crate::agenda::{Event, HostEvent};
use crate::clock::MS;
use crate::cluster::{Cluster, Party};
use crate::host::LEASE_NS;
use crate::injected::Kind;
use crate::scenario::Faults;

/// How often it is thrown for.
const EVERY: u64 = 250 * MS;
/// Longest partition.
const APART_MS: u64 = 5000;

impl Cluster {
    pub(crate) fn chaos(&mut self) {
        if self.calm {
            return;
        }
        self.agenda.note(self.now + EVERY, Event::Chaos);
        let faults = self.scenario.faults.clone();
        if self.random.per_mille(faults.partition) {
            self.set_apart();
        }
        if self.random.per_mille(faults.node_crash) {
            let node = self.random.index(self.nodes.len());
            self.inject(Kind::NodeCrash);
            self.node_dies(node);
        }
        if self.random.per_mille(faults.client_crash) {
            let client = self.random.index(self.clients.len());
            self.inject(Kind::ClientCrash);
            self.client_dies(client);
        }
        if self.random.per_mille(faults.coordinator_crash) {
            let host = self.random.index(self.hosts.len());
            self.host_crash(host);
        }
        if self.random.per_mille(faults.coordinator_pause) {
            let host = self.random.index(self.hosts.len());
            let until = self.now + self.random.between(200, 6000) * MS;
            // Not longer than was said: what waits for the end of it would get out of order.
            let paused_until = &mut self.hosts[host].paused_until;
            if *paused_until <= self.now {
                *paused_until = until;
                self.counts_pause(until);
            }
        }
        if self.random.per_mille(faults.store_crash) {
            self.inject(Kind::StoreCrash);
            self.store_dies();
        }
        if self.random.per_mille(faults.power_failure) {
            self.inject(Kind::PowerFailure);
            self.power_failure();
        }
    }

    fn set_apart(&mut self) {
        self.inject(Kind::Partition);
        let until = self.now + self.random.between(100, APART_MS) * MS;
        let parties = self.hosts.len() + self.nodes.len() + self.clients.len();
        let which = self.random.index(parties);
        let apart_until = if which < self.hosts.len() {
            &mut self.hosts[which].apart_until
        } else if which < self.hosts.len() + self.nodes.len() {
            &mut self.nodes[which - self.hosts.len()].apart_until
        } else {
            &mut self.clients[which - self.hosts.len() - self.nodes.len()].apart_until
        };
        *apart_until = until;
        // Some connections break meanwhile, others are only late.
        for link in 0..self.links.len() {
            let (caller, host) = (self.links[link].caller, self.links[link].host);
            let cut_off = self.apart(caller).max(self.apart(Party::Host(host))) == until;
            if cut_off && self.random.below(2) == 0 {
                self.cut(link);
            }
        }
    }

    /// Counts a fault, and whether somebody has just been elected.
    pub(crate) fn inject(&mut self, kind: Kind) {
        self.injected.count(kind);
        if self.hosts.iter().any(|host| host.recovers_until > self.now) {
            self.injected.count(Kind::InRecovery);
        }
    }

    pub(crate) fn counts_pause(&mut self, until: u64) {
        self.inject(Kind::Pause);
        if until - self.now > LEASE_NS + LEASE_NS / 10 {
            self.injected.count(Kind::PauseBeyondLease);
        }
    }

    fn host_crash(&mut self, host: usize) {
        self.inject(Kind::CoordinatorCrash);
        self.host_dies(host);
        let at = self.soon(5000);
        self.start_host(at, host);
    }

    /// A coordinator is killed at a step, by chance.
    pub(crate) fn host_crashes(&mut self, host: usize, chance: fn(&Faults) -> u64) -> bool {
        let chance = chance(&self.scenario.faults);
        let dies = chance > 0 && !self.calm && self.random.per_mille(chance);
        if dies {
            self.host_crash(host);
        }
        dies
    }

    pub(crate) fn start_host(&mut self, at: u64, host: usize) {
        self.note_host(at, host, HostEvent::Start);
    }

    /// All machines lose their power, and what was not flushed.
    fn power_failure(&mut self) {
        self.trace.say(self.now, || "power failure".to_owned());
        for node in 0..self.nodes.len() {
            self.node_dies(node);
        }
        for client in 0..self.clients.len() {
            self.client_dies(client);
        }
        if self.scenario.durable {
            self.store_dies();
            for host in 0..self.hosts.len() {
                self.host_dies(host);
                let at = self.soon(3000);
                self.start_host(at, host);
            }
        }
        self.sim.reboot();
        self.attend();
        self.checks.after_power(self.now, &self.sim);
    }

    /// Faults and work stop; whoever is down comes up, and what was asked for is waited for.
    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
        self.hosts.iter_mut().for_each(|host| {
            host.apart_until = 0;
        });
        self.nodes.iter_mut().for_each(|node| {
            node.apart_until = 0;
        });
        for client in 0..self.clients.len() {
            self.clients[client].apart_until = 0;
        }
    }
}
