//! The store: one thing that does one thing after the other, reached by messages that are late or
//! lost. It knows who leads, until when, and keeps the journal.

use std::collections::BTreeMap;

use crate::agenda::{Event, HostEvent};
use crate::clock::MS;
use crate::cluster::{Cluster, Party, Wrong};

/// How long a leader leads without prolonging it.
pub(crate) const LEAD_NS: u64 = 3000 * MS;

pub(crate) type Blocks = Vec<(u64, Vec<u8>)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To lead, if nobody does; `sent` comes back with the answer.
    Lead {
        sent: u64,
    },
    Prolong {
        epoch: u64,
        sent: u64,
    },
    Read {
        epoch: u64,
    },
    /// Keeps blocks, and drops those before `from`.
    Keep {
        epoch: u64,
        blocks: Blocks,
        from: u64,
    },
    /// One block, to be cleaned.
    Block {
        epoch: u64,
        number: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Leads {
        epoch: u64,
        sent: u64,
    },
    Prolonged {
        sent: u64,
    },
    Journal {
        epoch: u64,
        blocks: Blocks,
        next: u64,
    },
    Kept {
        number: u64,
    },
    Block {
        number: u64,
        block: Vec<u8>,
    },
    /// Somebody else leads, or nobody.
    No {
        epoch: u64,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Of the last leader.
    epoch: u64,
    leads_until: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
    first: u64,
    next: u64,
    forgot: bool,
}

impl Store {
    fn answer(&mut self, now: u64, ask: Ask) -> Answer {
        let leads = |epoch: u64| epoch == self.epoch && now < self.leads_until;
        match ask {
            Ask::Lead { sent } if now >= self.leads_until => {
                self.epoch += 1;
                self.leads_until = now + LEAD_NS;
                Answer::Leads { epoch: self.epoch, sent }
            }
            Ask::Lead { .. } => Answer::No { epoch: 0 },
            Ask::Prolong { epoch, .. } | Ask::Read { epoch } | Ask::Keep { epoch, .. }
                if !leads(epoch) =>
            {
                Answer::No { epoch }
            }
            Ask::Prolong { sent, .. } => {
                self.leads_until = now + LEAD_NS;
                Answer::Prolonged { sent }
            }
            Ask::Read { epoch } => {
                let blocks = self.blocks.iter().map(|(number, block)| (*number, block.clone()));
                Answer::Journal { epoch, blocks: blocks.collect(), next: self.next.max(1) }
            }
            Ask::Keep { blocks, from, .. } => {
                // What comes twice, and late, brings nothing back that was dropped.
                self.first = self.first.max(from);
                let number = blocks.last().map_or(0, |(number, _)| *number);
                self.next = self.next.max(number + 1);
                self.blocks.extend(blocks);
                self.blocks = self.blocks.split_off(&self.first);
                Answer::Kept { number }
            }
            Ask::Block { epoch, number } => match self.blocks.get(&number) {
                Some(block) => Answer::Block { number, block: block.clone() },
                None => Answer::No { epoch },
            },
        }
    }
}

impl Cluster {
    pub(crate) fn ask_store(&mut self, host: usize, ask: Ask) {
        if self.is_lost(host) {
            return;
        }
        let (at, life) = (self.store_delay(host), self.hosts[host].life);
        self.agenda.note(at, Event::Store { host, life, ask });
    }

    pub(crate) fn store_hears(&mut self, host: usize, life: u64, ask: Ask) {
        if self.wrong == Wrong::BlockForgotten
            && matches!(ask, Ask::Read { epoch } if epoch > 1)
            && !std::mem::replace(&mut self.store.forgot, true)
        {
            self.store.blocks.pop_last();
        }
        let answer = self.store.answer(self.now, ask);
        if self.is_lost(host) {
            return;
        }
        let at = self.store_delay(host);
        self.agenda.note(at, Event::Host { host, life, what: HostEvent::Answer(answer) });
    }

    fn is_lost(&mut self, host: usize) -> bool {
        let apart = self.apart(Party::Host(host)) > self.now && self.random.below(2) == 0;
        !self.calm && (apart || self.random.per_mille(5 * self.scenario.network.cut))
    }

    fn store_delay(&mut self, host: usize) -> u64 {
        let [least, most] = self.scenario.network.delay_us;
        let most = if self.random.below(8) == 0 { most } else { least + (most - least) / 20 };
        self.now.max(self.apart(Party::Host(host))) + self.random.between(least, most) * 1000
    }
}
