//! Until when this coordinator leads, and what it does not do afterwards.

use crate::coordinator::Coordinator;
use crate::outbox::Refusal;

/// Whether it leads.
#[derive(Debug, Default)]
pub(crate) struct Leading {
    /// On its own clock; none for ever.
    pub(crate) until_ns: Option<u64>,
    /// Another may lead.
    pub(crate) over: bool,
    /// Why what is recorded is not kept at the moment.
    store_fault: Option<String>,
}

impl Coordinator {
    /// Notes the time; false if nothing is to be done any more.
    pub(crate) fn at(&mut self, now_ns: u64) -> bool {
        self.now_ns = self.now_ns.max(now_ns);
        if self.leading.until_ns.is_some_and(|until| self.now_ns >= until) {
            self.step_down();
        }
        !self.leading.over
    }

    /// It leads until then at the least. Nodes are given leases within that.
    //= docs/wire.md#w-69
    pub fn lead_until(&mut self, now_ns: u64, until_ns: u64) {
        if self.at(now_ns) {
            let until = self.leading.until_ns.unwrap_or(0).max(until_ns);
            self.leading.until_ns = Some(until);
        }
    }

    /// It leads no more: another may. Everybody is sent away, and nothing is said that has not
    /// been said.
    pub fn step_down(&mut self) {
        if self.leading.over {
            return;
        }
        self.leading.over = true;
        self.out.clear();
        for connection in self.connections.numbers() {
            self.out.close(connection);
        }
    }

    pub fn leads(&self) -> bool {
        !self.leading.over
    }

    /// Milliseconds that a node may act from now.
    pub(crate) fn lease_ms(&self) -> u32 {
        let left =
            self.leading.until_ns.map_or(u64::MAX, |until| until.saturating_sub(self.now_ns));
        u32::try_from(self.setup.lease_ns.min(left) / 1_000_000).unwrap_or(u32::MAX)
    }

    /// What is recorded is not kept at the moment, or is again (`None`). What was promised is kept
    /// to; nothing more is promised meanwhile.
    pub fn store_fails(&mut self, why: Option<String>) {
        self.leading.store_fault = why;
    }

    /// Whether something more may be promised.
    pub(crate) fn check_store(&self) -> Result<(), Refusal> {
        if let Some(why) = &self.leading.store_fault {
            return Err(Refusal::busy(0, 1000, format!("the store fails: {why}")));
        }
        if self.journal.is_behind() {
            return Err(Refusal::busy(0, 100, "the store does not keep up"));
        }
        Ok(())
    }

    /// Whether what relies on the journal can be answered soon: else whoever asks is told why not,
    /// in place of waiting without a word.
    pub(crate) fn check_answerable(&self) -> Result<(), Refusal> {
        match (&self.leading.store_fault, self.journal.awaited()) {
            (Some(why), Some(_)) => Err(Refusal::busy(0, 1000, format!("the store fails: {why}"))),
            _ => Ok(()),
        }
    }

    /// The next block to be kept, with its number; the one at hand, if no full one is left.
    pub fn take_block(&mut self) -> Option<(u64, Vec<u8>)> {
        self.journal.highest = self.journal.highest.max(self.requests.slab.highest());
        self.journal.take_block()
    }

    /// Blocks up to this one are durable: what waited for them comes out of
    /// [`next_output`](Self::next_output).
    pub fn kept(&mut self, now_ns: u64, number: u64) {
        if self.at(now_ns) {
            self.journal.kept(number);
            self.out.kept(number);
        }
    }

    /// The first block that is needed, once all that [`take_block`](Self::take_block) gave is
    /// durable: those before may be dropped with it.
    pub fn keep_from(&self) -> u64 {
        self.journal.keep_from()
    }
}
