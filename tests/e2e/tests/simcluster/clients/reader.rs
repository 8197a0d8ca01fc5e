//! Users who read a file that may not be there, and wait until it is.

use dray_wire::messages::*;
use dray_wire::{EventType, Message, Response};

use super::{Asked, ClientEvent};
use crate::checks::Shape;
use crate::cluster::Cluster;

impl Cluster {
    pub(super) fn reader_acts(&mut self, client: usize) {
        if self.calm {
            return;
        }
        let at = self.soon(self.scenario.mix.think_ms);
        self.note_client(at, client, ClientEvent::Act);
        if self.clients[client].blocked.is_none() {
            let file = self.random.index(self.scenario.files);
            self.clients[client].blocked = Some((file, self.now));
            self.reader_resumes(client);
        }
    }

    /// Raises the event, or raises it again on another connection.
    pub(super) fn reader_resumes(&mut self, client: usize) {
        let Some((file, _)) = self.clients[client].blocked else { return };
        let handle = self.checks.files[file].handle;
        let ask = RaiseEvent { event: EventType::READ, handle, ..RaiseEvent::default() };
        self.ask(client, Asked::Read { file }, ask);
    }

    pub(super) fn reader_hears(&mut self, client: usize, asked: Asked, message: Message) {
        let (Asked::Read { file }, Some((blocked, since))) = (asked, self.clients[client].blocked)
        else {
            return;
        };
        if file != blocked {
            return;
        }
        match message {
            Message::EventAnswered(it) => {
                self.clients[client].blocked = None;
                let there = self.checks.stood(file, since, Shape::is_there);
                if it.response == Response::CONTINUE && !there {
                    self.checks.fault(format!("a reader of file {file} goes on, and it is away"));
                }
            }
            // Nobody took it in time.
            _ => self.reader_resumes(client),
        }
    }
}
