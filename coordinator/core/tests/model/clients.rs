//! Clients that want all kinds of things.

use dray_wire::messages::*;
use dray_wire::{
    Class, EventType, FileHandle, List, Message, RequestId, Response, Right, Role, SessionId,
    Status, Token, Verb,
};

use crate::world::{FILE_SYSTEMS, MS, World};

/// Bytes per second.
const RATES: [u64; 4] = [0, 0, 1 << 20, 50 << 20];
const SIZES: [u64; 6] = [0, 1, 5000, 1 << 20, (4 << 20) + 3, 9 << 20];

impl World {
    fn client(&mut self) -> u32 {
        if self.clients.len() < 3 || self.random.one_in(60) {
            let client = self.connect(Role::CLIENT, "client");
            self.clients.push(client);
            return client;
        }
        let clients = std::mem::take(&mut self.clients);
        let client = self.random.pick(&clients).expect("there are some");
        self.clients = clients;
        client
    }

    fn some_session(&mut self, client: u32) -> SessionId {
        if (self.sessions.is_empty() || self.random.one_in(50))
            && let Some(Message::SessionCreated(it)) = self.ask(client, CreateSession::default())
        {
            self.sessions.push(it.session);
        }
        let known = self.sessions.len() as u64;
        self.sessions[self.random.below(known) as usize]
    }

    fn file(&mut self) -> FileHandle {
        let file_system = FILE_SYSTEMS[self.random.below(2) as usize];
        FileHandle { file_system, inode: 1 + self.random.below(5), generation: 1 }
    }

    /// Something that a client does.
    pub(crate) fn client_acts(&mut self) {
        let client = self.client();
        let session = self.some_session(client);
        match self.random.below(40) {
            0..=12 => self.submits(client, session),
            13..=16 => self.cancels(client, session),
            17..=24 => self.wants_right(client, session),
            25..=27 => self.reads(client, session),
            28 => self.assumes(client, session),
            29 => drop(self.ask(client, DestroySession { session })),
            30 => {
                let share = self.random.below(300) as u32;
                self.ask(client, SetShare { session, share, ..SetShare::default() });
            }
            31 => self.limits(client, session),
            32..=33 => {
                let after = self.random.below(40);
                let limit = 1 + self.random.below(20) as u32;
                self.ask(client, ListRequests { session, after, limit, ..Default::default() });
            }
            34 => self.disposes(client, session),
            35..=36 => self.raises(client),
            37 => self.disconnect(client),
            38 if self.random.one_in(4) => self.offend(client),
            _ => drop(self.ask(client, ListNodes::default())),
        }
    }

    fn submits(&mut self, client: u32, session: SessionId) {
        let verb = Verb::ALL[self.random.below(4) as usize];
        let items = (0..1 + self.random.below(6)).map(|_| self.item(verb)).collect();
        let submit = Submit {
            session,
            tenant: self.random.below(3) as u32,
            class: Class(self.random.below(4) as u8),
            verb,
            flags: if self.random.one_in(10) { SILENT } else { 0 },
            deadline_ms: self.random.pick(&[0, 0, 5, 2000]).expect("there are some"),
            items: List(items),
            ..Submit::default()
        };
        self.ask(client, submit);
    }

    fn item(&mut self, verb: Verb) -> Item {
        let handle = self.file();
        let range = verb == Verb::RESTORE && self.random.one_in(3);
        Item {
            handle,
            size: self.random.pick(&SIZES).expect("there are some"),
            lun: self.random.below(3),
            place: self.random.below(4) << 28,
            offset: if range { self.random.below(2) * 100 } else { 0 },
            length: if range { 100 } else { 0 },
            kind: KIND_FILE,
            ..Item::default()
        }
    }

    fn cancels(&mut self, client: u32, session: SessionId) {
        let known = self.checker.requests();
        let mut requests: Vec<RequestId> = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            // Mostly one of the last: the others have ended.
            let last = known.len().saturating_sub(30);
            requests.extend(self.random.pick(&known[last..]));
        }
        let cancel = Cancel { session, requests: List(requests.clone()) };
        if let Some(Message::Cancelled(it)) = self.ask(client, cancel)
            && it.statuses.0.contains(&Status::CANCELLED)
        {
            for request in requests {
                self.ask(client, ShowRequest { request });
            }
        }
    }

    pub(crate) fn tokens(&mut self, client: u32, session: SessionId) -> Vec<Token> {
        match self.ask(client, ListTokens { session, limit: 100, ..ListTokens::default() }) {
            Some(Message::Tokens(it)) => it.tokens.0,
            _ => Vec::new(),
        }
    }

    pub(crate) fn respond(&mut self, client: u32, session: SessionId, token: Token) {
        let response = Response::CONTINUE;
        self.ask(client, RespondEvent { session, token, response, ..RespondEvent::default() });
    }

    fn wants_right(&mut self, client: u32, session: SessionId) {
        let tokens = self.tokens(client, session);
        let Some(token) = self.random.pick(&tokens).filter(|_| !self.random.one_in(8)) else {
            self.ask(client, CreateUserEvent { session, ..CreateUserEvent::default() });
            return;
        };
        let (handle, wait) = (self.file(), self.random.below(2) as u8);
        let right = Right(1 + self.random.below(2) as u8);
        let message: Message = match self.random.below(12) {
            0..=4 => {
                RequestRight { session, token, handle, right, wait, ..Default::default() }.into()
            }
            5..=6 => ReleaseRight { session, token, handle }.into(),
            7 => UpgradeRight { session, token, handle, wait, ..Default::default() }.into(),
            8 => DowngradeRight { session, token, handle }.into(),
            9 => QueryRight { session, token, handle }.into(),
            10 => {
                let target = self.sessions[self.random.below(self.sessions.len() as u64) as usize];
                MoveEvent { session, token, target }.into()
            }
            _ => return self.respond(client, session, token),
        };
        self.ask(client, message);
    }

    fn reads(&mut self, client: u32, session: SessionId) {
        let wait_ms = self.random.pick(&[0, 0, 100, 3000]).expect("there are some");
        self.ask(client, GetEvents { session, limit: 2, wait_ms });
    }

    fn assumes(&mut self, client: u32, assume: SessionId) {
        let message = CreateSession { assume, ..CreateSession::default() };
        if let Some(Message::SessionCreated(it)) = self.ask(client, message) {
            // The old name is used on now and then.
            if self.random.one_in(2) {
                self.sessions.retain(|known| *known != assume);
            }
            self.sessions.push(it.session);
        }
    }

    fn limits(&mut self, client: u32, session: SessionId) {
        let bytes_per_second = self.random.pick(&RATES).expect("there are some");
        let scope = if self.random.one_in(2) { SESSION } else { FILE_SYSTEM };
        let file_system = self.file().file_system;
        let limit =
            SetLimit { scope, session, file_system, bytes_per_second, ..Default::default() };
        self.ask(client, limit);
    }

    fn disposes(&mut self, client: u32, session: SessionId) {
        let bits = [EventType::READ, EventType::CLOSE].map(|it| it.bit().unwrap_or(0));
        let events = bits[0] * self.random.below(2) as u32 + bits[1];
        let file_system = self.file().file_system;
        self.ask(client, SetDisposition { session, file_system, events, ..Default::default() });
    }

    fn raises(&mut self, client: u32) {
        let handle = self.file();
        let event = if self.random.one_in(3) { EventType::CLOSE } else { EventType::READ };
        self.ask(client, RaiseEvent { event, handle, ..RaiseEvent::default() });
    }

    /// A client that gives all back: no limits, no events, no rights.
    pub(crate) fn tidy_up(&mut self) -> u32 {
        let client = self.connect(Role::CLIENT, "tidy");
        for file_system in FILE_SYSTEMS {
            let limit = SetLimit { scope: FILE_SYSTEM, file_system, ..SetLimit::default() };
            self.ask(client, limit);
        }
        // Nobody takes an event from here on; those raised before are given up by then.
        self.sleep(31_000 * MS);
        for session in self.all_sessions(client) {
            self.ask(client, SetLimit { scope: SESSION, session, ..SetLimit::default() });
            loop {
                let got = self.ask(client, GetEvents { session, limit: 100, wait_ms: 0 });
                let Some(Message::Events(it)) = got else { break };
                if it.events.0.is_empty() {
                    break;
                }
            }
            for token in self.tokens(client, session) {
                self.respond(client, session, token);
            }
        }
        client
    }
}
