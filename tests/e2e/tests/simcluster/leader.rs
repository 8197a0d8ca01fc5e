//! How a coordinator comes to lead, goes on to, and has kept what it promises.

use dray_core::{BadBlock, Coordinator, Setup};
use dray_wire::Epoch;

use crate::agenda::HostEvent;
use crate::checks::Check;
use crate::clock::MS;
use crate::cluster::{Cluster, Wrong};
use crate::host::LEASE_NS;
use crate::store::{Answer, Ask, Blocks, LEAD_NS};

/// After this long without an answer the store is asked again.
const AGAIN: u64 = 400 * MS;
/// Faults this soon after an election are faults amid a recovery.
const RECOVERY: u64 = 600 * MS;

/// The time in which a process leads.
#[derive(Debug, Default)]
pub(crate) struct Term {
    epoch: u64,
    /// On its own clock.
    until: u64,
    /// On their way to the store.
    under_way: Option<(Blocks, u64)>,
    kept: u64,
}

impl Cluster {
    pub(crate) fn host_starts(&mut self, host: usize) {
        if !self.scenario.durable {
            self.hosts[host].core = Some(Coordinator::new(self.setup(1)));
        } else if self.hosts[host].core.is_none() {
            // Elected, it reads; without an answer it stands again.
            let sent = self.hosts[host].local(self.now);
            self.ask_store(host, Ask::Lead { sent });
            let at = self.soon(1500);
            self.note_host(at, host, HostEvent::Start);
        }
    }

    fn setup(&self, epoch: u64) -> Setup {
        let split = self.scenario.split_bytes;
        Setup {
            epoch: Epoch(epoch),
            lease_ns: LEASE_NS,
            // Leases end with the term: what is left is how far clocks run apart.
            grace_ns: if self.scenario.durable { LEASE_NS / 10 } else { 0 },
            split_bytes: if split == 0 { u64::MAX } else { split },
            part_bytes: split.max(1),
            durable: self.scenario.durable,
            ..Setup::default()
        }
    }

    pub(crate) fn store_answers(&mut self, host: usize, answer: Answer) {
        self.trace.say(self.now, || format!("store to {host}: {answer:?}"));
        let local = self.hosts[host].local(self.now);
        let (extra, careless) = (self.extra(), self.wrong == Wrong::LeadIgnored);
        let own = &mut self.hosts[host];
        match answer {
            Answer::Leads { epoch, sent } if own.core.is_none() && epoch > own.term.epoch => {
                own.term = Term { epoch, until: sent + LEAD_NS, ..Term::default() };
                own.recovers_until = self.now + RECOVERY;
                if self.host_crashes(host, |faults| faults.crash_in_recovery) {
                    return;
                }
                self.ask_store(host, Ask::Read { epoch });
            }
            Answer::Journal { epoch, blocks, next }
                if epoch == own.term.epoch && own.core.is_none() && local < own.term.until =>
            {
                self.leads(host, blocks, next);
                self.host_crashes(host, |faults| faults.crash_in_recovery);
            }
            Answer::Prolonged { sent } => {
                own.term.until = own.term.until.max(sent + LEAD_NS);
                let until = own.term.until + extra;
                if let Some(core) = &mut own.core {
                    core.lead_until(local, until);
                }
            }
            Answer::Kept { number } => {
                let its = own.term.under_way.as_ref().and_then(|(blocks, _)| blocks.last());
                if its.is_some_and(|(last, _)| *last == number) {
                    own.term.under_way = None;
                    own.term.kept = number;
                    if let Some(core) = &mut own.core {
                        core.kept(local, number);
                    }
                }
            }
            Answer::Block { number, block } => {
                if let Some(core) = &mut own.core
                    && core.keep_from() == number
                {
                    let cleaned = core.clean(&block);
                    self.sound(cleaned);
                }
            }
            // It is told late, or somebody else leads: nothing is to be done about it.
            Answer::No { epoch } if epoch > 0 && epoch == own.term.epoch && !careless => {
                if let Some(core) = &mut own.core {
                    core.step_down();
                }
            }
            _ => {}
        }
    }

    /// Goes on where the one before was.
    fn leads(&mut self, host: usize, blocks: Blocks, next: u64) {
        let (epoch, until) = (self.hosts[host].term.epoch, self.hosts[host].term.until);
        let local = self.hosts[host].local(self.now);
        let mut core = Coordinator::new(self.setup(epoch));
        for (number, block) in &blocks {
            let restored = core.restore(*number, block);
            self.sound(restored);
        }
        core.restored(local, next);
        core.lead_until(local, until + self.extra());
        self.hosts[host].core = Some(core);
        self.hosts[host].term.kept = next - 1;
        self.checks.counts.elections += 1;
        self.checks.counts.led[host.min(2)] += 1;
        self.trace.say(self.now, || format!("host {host} leads, epoch {epoch}"));
        self.note_host(self.now, host, HostEvent::Prolong { epoch });
    }

    /// How much longer one believes to lead than it does.
    fn extra(&self) -> u64 {
        if self.wrong == Wrong::LeadIgnored { 20 * LEAD_NS } else { 0 }
    }

    fn sound(&mut self, read: Result<(), BadBlock>) {
        if let Err(why) = read {
            self.checks.fault(Check::Promise, format!("what was kept cannot be read: {why:?}"));
        }
    }

    pub(crate) fn prolongs(&mut self, host: usize, epoch: u64) {
        let own = &self.hosts[host];
        if own.core.is_none() || own.term.epoch != epoch {
            return;
        }
        let sent = own.local(self.now);
        let at = own.clock.when(sent + LEAD_NS / 3);
        self.ask_store(host, Ask::Prolong { epoch, sent });
        self.note_host(at, host, HostEvent::Prolong { epoch });
    }

    /// Sends to the store what is to be kept, unless something is on its way.
    pub(crate) fn keeps(&mut self, host: usize) {
        let Some(core) = &mut self.hosts[host].core else { return };
        if !core.leads() {
            self.host_ends(host);
            let at = self.soon(500);
            return self.note_host(at, host, HostEvent::Start);
        }
        if !self.scenario.durable || self.hosts[host].term.under_way.is_some() {
            return;
        }
        self.cleans(host);
        let own = &mut self.hosts[host];
        let Some(core) = &mut own.core else { return };
        let blocks: Blocks = std::iter::from_fn(|| core.take_block()).collect();
        let Some((number, _)) = blocks.last() else { return };
        let (epoch, number, from) = (own.term.epoch, *number, core.keep_from());
        own.term.under_way = Some((blocks.clone(), from));
        self.ask_store(host, Ask::Keep { epoch, blocks, from });
        self.note_host(self.now + AGAIN, host, HostEvent::Again { epoch, number });
    }

    /// Now and then the oldest block is cleaned, whether it is time or not.
    fn cleans(&mut self, host: usize) {
        let own = &self.hosts[host];
        let (Some(core), epoch) = (&own.core, own.term.epoch) else { return };
        let number = core.keep_from();
        if number < own.term.kept && self.random.below(4) == 0 {
            self.ask_store(host, Ask::Block { epoch, number });
        }
    }

    pub(crate) fn keeps_again(&mut self, host: usize, epoch: u64, number: u64) {
        let term = &self.hosts[host].term;
        let Some((blocks, from)) = &term.under_way else { return };
        if term.epoch == epoch && blocks.last().is_some_and(|(last, _)| *last == number) {
            let (blocks, from) = (blocks.clone(), *from);
            self.ask_store(host, Ask::Keep { epoch, blocks, from });
            self.note_host(self.now + AGAIN, host, HostEvent::Again { epoch, number });
        }
    }
}
