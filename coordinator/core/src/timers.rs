//! What is due when.

use std::collections::BTreeSet;

use dray_wire::{EventType, Reason, Token};

use crate::coordinator::Coordinator;
use crate::outbox::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The lease of the node in this slot ends.
    Lease(u16),
    /// A reader of this session has waited long enough.
    Reader(u32),
    /// An event has waited long enough for a disposition.
    Disposition(Token),
    /// A request has waited for its deadline.
    Request { index: u32, generation: u32 },
    /// A limit lets something through again.
    Bandwidth,
}

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(u64, Due)>);

impl Timers {
    pub(crate) fn set(&mut self, at_ns: u64, due: Due) {
        self.0.insert((at_ns, due));
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.0.first().map(|(at, _)| *at)
    }

    fn pop_due(&mut self, now_ns: u64) -> Option<Due> {
        self.0.first().filter(|(at, _)| *at <= now_ns)?;
        self.0.pop_first().map(|(_, due)| due)
    }
}

impl Coordinator {
    pub(crate) fn timers_due(&mut self) {
        while let Some(due) = self.timers.pop_due(self.now_ns) {
            match due {
                Due::Lease(slot) => self.lease_due(slot),
                Due::Reader(session) => self.readers_due(session),
                Due::Disposition(token) => self.disposition_due(token),
                Due::Request { index, generation } => self.deadline_due(index, generation),
                // Dispatching follows.
                Due::Bandwidth => {}
            }
        }
    }

    fn readers_due(&mut self, session: u32) {
        let now = self.now_ns;
        let Some(state) = self.sessions.slab.get_mut(session) else { return };
        let due: Vec<_> = state.readers.iter().filter(|it| it.until_ns <= now).copied().collect();
        state.readers.retain(|reader| reader.until_ns > now);
        for reader in due {
            self.reply(reader.connection, reader.request, dray_wire::messages::Events::default());
        }
    }

    fn disposition_due(&mut self, token: Token) {
        let Some(event) = self.events.give_up(token) else { return };
        let Some((connection, request)) = event.raiser else { return };
        let what: EventType = event.event.event;
        let text = format!("nobody takes {what} events of this file system");
        self.refuse(connection, request, &Refusal::new(Reason::NO_DISPOSITION, token.0, text));
    }
}
