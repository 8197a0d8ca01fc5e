//! Programs that bring files back for those who are blocked reading them.

use dray_wire::messages::*;
use dray_wire::{EventType, Message, Status, Token, Verb};

use super::{Asked, Wanted};
use crate::cluster::Cluster;

/// What a reader gets whose file could not be brought back.
const EIO: u32 = 5;

impl Cluster {
    pub(super) fn front_end_resumes(&mut self, client: usize) {
        // Who began anew does not know which events its movements were for.
        self.clients[client].wanted.values_mut().for_each(|wanted| wanted.token = Token::NONE);
        let session = self.session(client);
        let file_system = self.checks.files[0].handle.file_system;
        let events = EventType::READ.bit().unwrap_or(0);
        let ask = SetDisposition { session, file_system, events, ..SetDisposition::default() };
        self.ask(client, Asked::Other, ask);
        self.fetch(client);
    }

    fn fetch(&mut self, client: usize) {
        let session = self.session(client);
        let ask = GetEvents { session, limit: 10, wait_ms: 1500 };
        self.ask(client, Asked::Events, ask);
    }

    pub(super) fn front_end_hears(&mut self, client: usize, asked: Asked, message: Message) {
        match (asked, message) {
            (Asked::Events, Message::Events(it)) => {
                for event in it.events.0 {
                    self.recall(client, &event);
                }
                self.fetch(client);
            }
            (Asked::Event, Message::Events(it)) => {
                for event in it.events.0 {
                    self.recall(client, &event);
                }
            }
            (Asked::Tokens, Message::Tokens(it)) => {
                let session = self.session(client);
                for token in it.tokens.0 {
                    self.ask(client, Asked::Event, FindEvent { session, token });
                }
            }
            (Asked::Events, Message::Refused(_)) => self.fetch(client),
            _ => {}
        }
    }

    fn recall(&mut self, client: usize, event: &Event) {
        if event.token != Token::NONE {
            let file = self.checks.file(&event.handle);
            self.submit(client, vec![file], Verb::RESTORE, 0, event.token);
        }
    }

    /// The file is back, or it is not: its reader goes on, or gets an error.
    pub(super) fn moved_for_event(&mut self, client: usize, wanted: &Wanted, status: Status) {
        let back = matches!(status, Status::DONE | Status::NOTHING);
        self.respond(client, wanted.token, if back { 0 } else { EIO });
    }
}
