//! What the coordinator has to say.

use std::collections::{BTreeMap, VecDeque};

use dray_wire::messages::{Outcome, Outcomes, Refused};
use dray_wire::{List, Message, Reason, Text};

use crate::limits::OUTCOMES;

/// Something for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `request` is that of the message answered; 0 for what is pushed.
    Send { connection: u32, request: u64, message: Message },
    /// Nothing more is to be said or heard.
    Close { connection: u32 },
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Output>,
    /// Outcomes gathered, so that a burst of them is one message.
    outcomes: BTreeMap<u32, Vec<Outcome>>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) about: u64,
    pub(crate) retry_after_ms: u32,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, about: u64, text: impl Into<String>) -> Self {
        Self { reason, about, retry_after_ms: 0, text: text.into() }
    }

    /// A limit is reached that will not last.
    pub(crate) fn busy(about: u64, retry_after_ms: u32, text: impl Into<String>) -> Self {
        Self { reason: Reason::BUSY, about, retry_after_ms, text: text.into() }
    }
}

impl Outbox {
    pub(crate) fn send(&mut self, connection: u32, request: u64, message: impl Into<Message>) {
        self.ready.push_back(Output::Send { connection, request, message: message.into() });
    }

    pub(crate) fn refuse(&mut self, connection: u32, request: u64, refusal: &Refusal) {
        let message = Refused {
            reason: refusal.reason,
            retry_after_ms: refusal.retry_after_ms,
            about: refusal.about,
            text: Text::new(&refusal.text),
            ..Refused::default()
        };
        self.send(connection, request, message);
    }

    pub(crate) fn close(&mut self, connection: u32) {
        self.ready.push_back(Output::Close { connection });
    }

    /// A connection is gone, and with it what was gathered for it.
    pub(crate) fn forget(&mut self, connection: u32) {
        self.outcomes.remove(&connection);
    }

    pub(crate) fn outcome(&mut self, connection: u32, outcome: Outcome) {
        let gathered = self.outcomes.entry(connection).or_default();
        gathered.push(outcome);
        if gathered.len() >= OUTCOMES {
            let outcomes = List(std::mem::take(gathered));
            self.send(connection, 0, Outcomes { outcomes });
        }
    }

    pub(crate) fn next(&mut self) -> Option<Output> {
        if self.ready.is_empty() {
            while let Some((connection, outcomes)) = self.outcomes.pop_first() {
                if !outcomes.is_empty() {
                    let message = Outcomes { outcomes: List(outcomes) }.into();
                    return Some(Output::Send { connection, request: 0, message });
                }
            }
        }
        self.ready.pop_front()
    }
}
