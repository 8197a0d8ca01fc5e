//! Programs that hold rights on files for a while.

use dray_wire::messages::*;
use dray_wire::{Message, Right, Token};

use super::{Asked, ClientEvent};
use crate::checks::Check;
use crate::cluster::{Cluster, Wrong};

/// Longest time that a right is held.
const HOLD_MS: u64 = 400;

impl Cluster {
    pub(super) fn holder_acts(&mut self, client: usize) {
        if self.calm {
            return;
        }
        let at = self.soon(self.scenario.mix.think_ms);
        self.note_client(at, client, ClientEvent::Act);
        if self.clients[client].session.is_none() || !self.clients[client].ready {
            return;
        }
        let (session, file) = (self.session(client), self.random.index(self.scenario.files));
        let ask = CreateUserEvent { session, ..CreateUserEvent::default() };
        self.ask(client, Asked::UserEvent { file }, ask);
    }

    fn holds(&mut self, client: usize, file: usize, token: Token, right: Right) {
        let handle = self.checks.files[file].handle;
        if let Some(what) = self.checks.rights.granted(client, handle, token, right) {
            self.checks.fault(Check::Exclusive, what);
        }
    }

    pub(super) fn holder_hears(&mut self, client: usize, asked: Asked, message: Message) {
        match (asked, message) {
            (Asked::UserEvent { file }, Message::TokenIs(it)) => {
                let (session, token, wait) = (self.session(client), it.token, 1);
                let handle = self.checks.files[file].handle;
                let right = Right(1 + self.random.below(2) as u8);
                if self.wrong == Wrong::RightAssumed {
                    self.holds(client, file, token, right);
                }
                let ask =
                    RequestRight { session, token, handle, right, wait, ..RequestRight::default() };
                self.ask(client, Asked::Right { token, file, right: right.0 }, ask);
            }
            (Asked::Right { token, file, right }, Message::Done(_)) => {
                self.checks.counts.rights += 1;
                self.holds(client, file, token, Right(right));
                let at = self.soon(HOLD_MS);
                self.note_client(at, client, ClientEvent::LetGo { token });
            }
            (Asked::Right { token, .. }, Message::Refused(_)) => self.respond(client, token, 0),
            // What it had before it lost its connection it gives back, whatever it was.
            (Asked::Tokens, Message::Tokens(it)) => {
                it.tokens.0.into_iter().for_each(|token| self.respond(client, token, 0));
            }
            _ => {}
        }
    }
}
