//! Programs that have files moved.

use dray_wire::messages::*;
use dray_wire::{Class, List, Message, Reason, RequestId, Token, Verb};

use super::{Asked, ClientEvent, Wanted};
use crate::checks::Check;
use crate::cluster::Cluster;

impl Cluster {
    pub(super) fn mover_acts(&mut self, client: usize) {
        if self.calm {
            return;
        }
        let at = self.soon(self.scenario.mix.think_ms);
        self.note_client(at, client, ClientEvent::Act);
        if self.clients[client].session.is_none() || !self.clients[client].ready {
            return;
        }
        let wanted: Vec<RequestId> = self.clients[client].wanted.keys().copied().collect();
        if self.random.below(100) < self.scenario.mix.cancel && !wanted.is_empty() {
            let request = wanted[self.random.index(wanted.len())];
            let session = self.session(client);
            let cancel = Cancel { session, requests: List(vec![request]) };
            return self.ask(client, Asked::Cancel(request), cancel);
        }
        let verb = self.random.verb(self.scenario.mix.weights());
        let class = 1 + self.random.below(3) as u8;
        let mut files: Vec<usize> = Vec::new();
        for _ in 0..=self.random.below(3) {
            let file = self.random.index(self.scenario.files);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        self.submit(client, files, verb, class, Token::NONE);
    }

    pub(super) fn submit(
        &mut self,
        client: usize,
        files: Vec<usize>,
        verb: Verb,
        class: u8,
        token: Token,
    ) {
        let item = |file: &usize| {
            let state = &self.checks.files[*file];
            let size = self.sim.tree().stat(&state.path).size;
            Item { handle: state.handle, size, kind: KIND_FILE, ..Item::default() }
        };
        let items = List(files.iter().map(item).collect());
        let (session, since) = (self.session(client), self.now);
        let tenant = client as u32;
        files.iter().for_each(|file| self.checks.asked(*file));
        let deadline_ms = if self.random.below(4) == 0 { 500 } else { 0 };
        let submit = Submit {
            session,
            tenant,
            class: Class(class),
            verb,
            deadline_ms,
            items,
            ..Submit::default()
        };
        self.ask(client, Asked::Submit { files, verb, class, since, token }, submit);
    }

    pub(super) fn submitted(&mut self, client: usize, asked: Asked, message: Message) {
        let Asked::Submit { files, verb, class, since, token } = asked else { return };
        files.iter().for_each(|file| self.checks.answered(*file));
        let Message::Accepted(accepted) = message else {
            if matches!(&message, Message::Refused(it) if it.reason == Reason::BUSY) {
                return;
            }
            let what = format!("a submission of {files:?} gets {message:?}");
            self.checks.fault(Check::Promise, what);
            return;
        };
        for (file, request) in files.into_iter().zip(accepted.requests.0) {
            if let Some(what) = self.checks.requests.accepted(request, file, verb, since) {
                self.checks.fault(Check::Promise, what);
            }
            self.clients[client].wanted.insert(request, Wanted { token, class });
        }
    }

    /// Asks to hear what becomes of what was asked for on connections before this one.
    pub(super) fn watches(&mut self, client: usize) {
        let wanted: Vec<RequestId> = self.clients[client].wanted.keys().copied().collect();
        if !wanted.is_empty() {
            let requests = List(wanted.clone());
            self.ask(client, Asked::Watch(wanted), Watch { requests });
        }
    }
}
