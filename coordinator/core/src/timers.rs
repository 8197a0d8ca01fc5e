//! What is due when.

use std::collections::BTreeSet;

use dray_wire::{EventType, Reason, Token};

use crate::coordinator::Coordinator;
use crate::outbox::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The lease of the node in this slot ends.
    Lease(u16),
    /// A reader has waited long enough.
    Reader { session: u32, connection: u32, request: u64 },
    /// An event has waited long enough for a disposition.
    Disposition(Token),
    /// A request has waited for its deadline.
    Request { index: u32, generation: u32 },
    /// A request has rested.
    Rest { index: u32, generation: u32 },
    /// A limit lets something through again.
    Bandwidth,
    /// Events have been raised again by now, or will not be.
    Orphans,
    /// From now on orders are posted.
    Grace,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    all: BTreeSet<(u64, Due)>,
    /// When the first limit lets something through: one timer, however often that is asked.
    bandwidth: Option<u64>,
}

impl Timers {
    pub(crate) fn set(&mut self, at_ns: u64, due: Due) {
        self.all.insert((at_ns, due));
    }

    /// What was to be due then is not any more.
    pub(crate) fn clear(&mut self, at_ns: u64, due: Due) {
        self.all.remove(&(at_ns, due));
    }

    pub(crate) fn set_bandwidth(&mut self, at_ns: u64) {
        if self.bandwidth.is_some_and(|set| set <= at_ns) {
            return;
        }
        if let Some(later) = self.bandwidth.replace(at_ns) {
            self.clear(later, Due::Bandwidth);
        }
        self.set(at_ns, Due::Bandwidth);
    }

    /// Limits have changed: what they let through is to be asked again.
    pub(crate) fn clear_bandwidth(&mut self) {
        if let Some(at_ns) = self.bandwidth.take() {
            self.clear(at_ns, Due::Bandwidth);
        }
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.all.first().map(|(at, _)| *at)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn pop_due(&mut self, now_ns: u64) -> Option<(u64, Due)> {
        self.all.first().filter(|(at, _)| *at <= now_ns)?;
        let (at, due) = self.all.pop_first()?;
        if due == Due::Bandwidth {
            self.bandwidth = None;
        }
        Some((at, due))
    }
}

impl Coordinator {
    pub(crate) fn timers_due(&mut self) {
        while let Some((at_ns, due)) = self.timers.pop_due(self.now_ns) {
            match due {
                Due::Lease(slot) => self.lease_due(slot),
                Due::Reader { session, connection, request } => {
                    self.reader_due(session, connection, request);
                }
                Due::Disposition(token) => self.disposition_due(token),
                Due::Request { index, generation } => self.deadline_due(at_ns, index, generation),
                Due::Rest { index, generation } => self.rest_due(index, generation),
                Due::Orphans => self.orphans_due(),
                Due::Grace => {}
                Due::Bandwidth => self.touch_all(),
            }
        }
    }

    fn reader_due(&mut self, session: u32, connection: u32, request: u64) {
        let Some(state) = self.sessions.slab.get_mut(session) else { return };
        state.readers.retain(|it| (it.connection, it.request) != (connection, request));
        self.reply_now(connection, request, dray_wire::messages::Events::default());
    }

    fn disposition_due(&mut self, token: Token) {
        let Some(event) = self.events.give_up(token) else { return };
        let Some((connection, request)) = event.raiser else { return };
        let what: EventType = event.event.event;
        let text = format!("nobody takes {what} events of this file system");
        self.refuse(connection, request, &Refusal::new(Reason::NO_DISPOSITION, token.0, text));
    }
}
