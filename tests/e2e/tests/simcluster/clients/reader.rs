//! Users who read a file that may not be there, and wait until it is.

use dray_wire::messages::*;
use dray_wire::{EventType, Message, Response, Token};

use super::{Asked, Blocked, ClientEvent};
use crate::checks::{Check, Shape};
use crate::cluster::Cluster;

impl Cluster {
    pub(super) fn reader_acts(&mut self, client: usize) {
        if self.calm {
            return;
        }
        let at = self.soon(self.scenario.mix.think_ms);
        self.note_client(at, client, ClientEvent::Act);
        if self.clients[client].ready && self.clients[client].blocked.is_none() {
            let (file, since) = (self.random.index(self.scenario.files), self.now);
            let own = &mut self.clients[client];
            own.reads += 1;
            // Its own, so that it can raise the event again.
            let token = Token(SOURCE_TOKEN | (client as u64) << 32 | own.reads);
            own.blocked = Some(Blocked { file, since, token });
            self.reader_resumes(client);
        }
    }

    /// Raises the event, or raises it again on another connection.
    pub(super) fn reader_resumes(&mut self, client: usize) {
        let Some(Blocked { file, token, .. }) = self.clients[client].blocked else { return };
        let handle = self.checks.files[file].handle;
        let event = EventType::READ;
        let ask = RaiseEvent { event, handle, token, ..RaiseEvent::default() };
        self.ask(client, Asked::Read(token), ask);
    }

    pub(super) fn reader_hears(&mut self, client: usize, asked: Asked, message: Message) {
        let (Asked::Read(token), Some(blocked)) = (asked, self.clients[client].blocked) else {
            return;
        };
        let Blocked { file, since, .. } = blocked;
        if token != blocked.token {
            return;
        }
        match message {
            Message::EventAnswered(it) => {
                self.clients[client].blocked = None;
                self.checks.counts.reads += 1;
                let there = self.checks.stood(file, since, Shape::is_there);
                if it.response == Response::CONTINUE && !there {
                    let what = format!("a reader of file {file} goes on, and it is away");
                    self.checks.fault(Check::Reader, what);
                }
            }
            // Nobody took it in time.
            _ => self.reader_resumes(client),
        }
    }
}
