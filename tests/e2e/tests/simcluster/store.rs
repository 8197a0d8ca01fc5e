//! The store: one thing that does one thing after the other, reached by messages that are late or
//! lost. It knows who leads, until when, and keeps the journal.

use std::collections::BTreeMap;

use crate::agenda::{Event, HostEvent};
use crate::clock::MS;
use crate::cluster::{Cluster, Party, Wrong};
use crate::injected::Kind;

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
    /// It is down until then, and hears nothing.
    down_until: u64,
    /// By process, the last of its questions that came.
    heard: BTreeMap<usize, u64>,
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

impl Store {
    /// It is killed amid a write: blocks from the first on may be kept, and nobody hears of it.
    fn keep_some(&mut self, blocks: Blocks, count: usize) {
        let some: Blocks = blocks.into_iter().take(count).collect();
        let Some((last, _)) = some.last() else { return };
        self.next = self.next.max(last + 1);
        let first = self.first;
        self.blocks.extend(some.into_iter().filter(|(number, _)| *number >= first));
    }
}

impl Cluster {
    pub(crate) fn ask_store(&mut self, host: usize, ask: Ask) {
        self.hosts[host].asked += 1;
        let (life, number) = (self.hosts[host].life, self.hosts[host].asked);
        for _ in 0..self.copies(host) {
            let at = self.store_delay(host);
            self.agenda.note(at, Event::Store { host, life, number, ask: ask.clone() });
        }
    }

    pub(crate) fn store_hears(&mut self, host: usize, life: u64, number: u64, ask: Ask) {
        if self.store.down_until > self.now {
            return self.injected.count(Kind::Lost);
        }
        let heard = self.store.heard.entry(host).or_default();
        if number < *heard {
            self.injected.count(Kind::Reordered);
        }
        *heard = number.max(*heard);
        if self.wrong == Wrong::BlockForgotten
            && matches!(ask, Ask::Read { epoch } if epoch > 1)
            && !std::mem::replace(&mut self.store.forgot, true)
        {
            self.store.blocks.pop_last();
        }
        if self.store_dies_in(&ask) {
            return;
        }
        let answer = self.store.answer(self.now, ask);
        for _ in 0..self.copies(host) {
            let at = self.store_delay(host);
            let what = HostEvent::Answer(answer.clone());
            self.agenda.note(at, Event::Host { host, life, what });
        }
    }

    /// It is killed, keeps what it had flushed, and counts the time of the leader anew.
    pub(crate) fn store_dies(&mut self) {
        let until = self.now + self.random.between(50, 4000) * MS;
        self.store.down_until = until;
        if self.store.epoch > 0 {
            self.store.leads_until = until + LEAD_NS;
        }
    }

    fn store_dies_in(&mut self, ask: &Ask) -> bool {
        let Ask::Keep { epoch, blocks, .. } = ask else { return false };
        let chance = self.scenario.faults.store_in_write;
        if chance == 0 || self.calm || !self.random.per_mille(chance) {
            return false;
        }
        self.inject(Kind::CrashInWrite);
        if *epoch == self.store.epoch && self.now < self.store.leads_until {
            let count = self.random.index(blocks.len() + 1);
            self.store.keep_some(blocks.clone(), count);
        }
        self.store_dies();
        true
    }

    /// How often a message between a process and the store arrives.
    fn copies(&mut self, host: usize) -> u64 {
        let apart = self.apart(Party::Host(host)) > self.now && self.random.below(2) == 0;
        if self.calm {
            return 1;
        }
        if apart || self.random.per_mille(5 * self.scenario.network.cut) {
            self.injected.count(Kind::Lost);
            return 0;
        }
        if self.random.per_mille(self.scenario.network.duplicate) {
            self.injected.count(Kind::Duplicated);
            return 2;
        }
        1
    }

    fn store_delay(&mut self, host: usize) -> u64 {
        let [least, most] = self.scenario.network.delay_us;
        let late = self.random.below(8) == 0;
        let most = if late { most } else { least + (most - least) / 20 };
        let apart = self.apart(Party::Host(host));
        if late || apart > self.now {
            self.injected.count(Kind::Delayed);
        }
        self.now.max(apart) + self.random.between(least, most) * 1000
    }
}
