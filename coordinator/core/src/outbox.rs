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
    /// What may not be said before a block of the journal is durable, with its number.
    withheld: VecDeque<(u64, Output)>,
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

    /// Says it when a block is durable.
    pub(crate) fn withhold(
        &mut self,
        block: u64,
        connection: u32,
        request: u64,
        message: impl Into<Message>,
    ) {
        let output = Output::Send { connection, request, message: message.into() };
        self.withheld.push_back((block, output));
    }

    /// Blocks up to this one are durable.
    pub(crate) fn kept(&mut self, block: u64) {
        while let Some((_, output)) = self.withheld.pop_front_if(|(awaited, _)| *awaited <= block) {
            self.ready.push_back(output);
        }
    }

    /// Nothing of what was to be said is.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
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
        self.outcomes.entry(connection).or_default().push(outcome);
    }

    /// Makes messages of the outcomes gathered, which rely on a block of the journal.
    fn tell_outcomes(&mut self, block: Option<u64>) {
        while let Some((connection, mut outcomes)) = self.outcomes.pop_first() {
            while !outcomes.is_empty() {
                let rest = outcomes.split_off(outcomes.len().min(OUTCOMES));
                let message = Outcomes { outcomes: List(outcomes) };
                match block {
                    Some(block) => self.withhold(block, connection, 0, message),
                    None => self.send(connection, 0, message),
                }
                outcomes = rest;
            }
        }
    }

    /// `awaited` is the block of the journal that everything done so far relies on.
    pub(crate) fn next(&mut self, awaited: Option<u64>) -> Option<Output> {
        if self.ready.is_empty() && !self.outcomes.is_empty() {
            self.tell_outcomes(awaited);
        }
        self.ready.pop_front()
    }
}
