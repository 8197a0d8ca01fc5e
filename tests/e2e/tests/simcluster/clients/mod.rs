//! Programs that talk to the coordinator, and what they have in common: they connect, have a
//! session, and come back when their connection is lost or they were killed.

mod front_end;
mod holder;
mod mover;
mod reader;

use std::collections::BTreeMap;

use dray_wire::limits::INFO_MAX;
use dray_wire::messages::*;
use dray_wire::{
    Bytes, Message, Reason, RequestId, Response, Role, SessionId, Status, Text, Token, VERSION,
    Verb,
};

use crate::agenda::Event;
use crate::checks::Check;
use crate::clock::MS;
use crate::cluster::{Cluster, Party};

/// Longest wait for the first answer.
const PATIENCE_MS: u64 = 3000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientEvent {
    Connect,
    GiveUp {
        link: usize,
    },
    /// Does the next thing that it likes.
    Act,
    /// Ends what it holds under a token.
    LetGo {
        token: Token,
    },
}

/// What a program is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mover,
    FrontEnd,
    Holder,
    Reader,
}

/// What was asked on this connection and not answered.
#[derive(Debug)]
pub(crate) enum Asked {
    Greeting,
    Sessions,
    Session,
    /// A movement of these files, and the event that waits for it.
    Submit {
        files: Vec<usize>,
        verb: Verb,
        class: u8,
        since: u64,
        token: Token,
    },
    Cancel(RequestId),
    Watch(Vec<RequestId>),
    Tokens,
    Events,
    /// Of an event that was fetched before.
    Event,
    UserEvent {
        file: usize,
    },
    Right {
        token: Token,
        file: usize,
        right: u8,
    },
    Response,
    Read(Token),
    Other,
}

/// A movement that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The event that waits for it, if one does.
    token: Token,
    class: u8,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) life: u64,
    pub(crate) apart_until: u64,
    link: Option<usize>,
    ready: bool,
    requests: u64,
    session: Option<SessionId>,
    asked: BTreeMap<u64, Asked>,
    /// Accepted, and not heard of since.
    wanted: BTreeMap<RequestId, Wanted>,
    /// Since when a reader waits, and for which file.
    pub(crate) blocked: Option<Blocked>,
    /// Times that it read.
    reads: u64,
}

/// A read that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocked {
    file: usize,
    since: u64,
    token: Token,
}

impl Client {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            life: 0,
            apart_until: 0,
            link: None,
            ready: false,
            requests: 0,
            session: None,
            asked: BTreeMap::new(),
            wanted: BTreeMap::new(),
            blocked: None,
            reads: 0,
        }
    }

    /// Whether it waits for something that it must get, whatever happens.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.wanted.is_empty() || self.blocked.is_some()
    }
}

impl Cluster {
    pub(crate) fn note_client(&mut self, at: u64, client: usize, what: ClientEvent) {
        let life = self.clients[client].life;
        self.agenda.note(at, Event::Client { client, life, what });
    }

    pub(crate) fn ask(&mut self, client: usize, what: Asked, message: impl Into<Message>) {
        let own = &mut self.clients[client];
        let Some(link) = own.link else { return };
        own.requests += 1;
        let request = own.requests;
        own.asked.insert(request, what);
        self.send(link, true, request, message);
    }

    pub(crate) fn client_acts(&mut self, client: usize, life: u64, what: ClientEvent) {
        let own = &self.clients[client];
        if own.life != life {
            return;
        }
        match what {
            ClientEvent::Connect => self.client_connects(client),
            ClientEvent::GiveUp { link } if own.link == Some(link) && !own.ready => {
                self.client_loses(client, link);
            }
            ClientEvent::GiveUp { .. } => {}
            ClientEvent::Act if own.kind == Kind::Mover => self.mover_acts(client),
            ClientEvent::Act if own.kind == Kind::Holder => self.holder_acts(client),
            ClientEvent::Act if own.kind == Kind::Reader => self.reader_acts(client),
            ClientEvent::Act => {}
            // Without a connection it lets go of all when it is back.
            ClientEvent::LetGo { token } if own.ready => self.respond(client, token, 0),
            ClientEvent::LetGo { .. } => {}
        }
    }

    fn client_connects(&mut self, client: usize) {
        let host = self.random.index(self.hosts.len());
        let link = self.dial(Party::Client(client), host);
        let own = &mut self.clients[client];
        (own.link, own.ready, own.requests) = (Some(link), false, 0);
        own.asked.clear();
        let hello = Hello {
            version_from: VERSION,
            version_to: VERSION,
            role: Role::CLIENT,
            name: Text::new("client"),
            ..Hello::default()
        };
        self.ask(client, Asked::Greeting, hello);
        self.note_client(self.now + PATIENCE_MS * MS, client, ClientEvent::GiveUp { link });
    }

    /// The connection is lost: it comes back, with its session.
    pub(crate) fn client_loses(&mut self, client: usize, link: usize) {
        if self.clients[client].link != Some(link) {
            return;
        }
        self.close(link, true);
        let own = &mut self.clients[client];
        let quick = self.calm || !own.ready;
        (own.link, own.ready) = (None, false);
        let at = self.soon(if quick { 150 } else { 1000 });
        self.note_client(at, client, ClientEvent::Connect);
    }

    /// The process is killed. What it was to be told it asks for when it runs again; what it had
    /// the right to do it does no more.
    pub(crate) fn client_dies(&mut self, client: usize) {
        self.checks.counts.killed += 1;
        let own = &mut self.clients[client];
        own.life += 1;
        let link = own.link.take();
        own.ready = false;
        self.checks.rights.gone(client);
        if let Some(link) = link {
            self.close(link, true);
        }
        let at = self.soon(2000);
        self.client_starts(at, client);
    }

    pub(crate) fn client_starts(&mut self, at: u64, client: usize) {
        self.note_client(at, client, ClientEvent::Connect);
        self.note_client(at, client, ClientEvent::Act);
    }

    pub(crate) fn client_hears(
        &mut self,
        client: usize,
        link: usize,
        request: u64,
        message: Message,
    ) {
        if self.clients[client].link != Some(link) {
            return;
        }
        if let Message::Outcomes(outcomes) = message {
            for outcome in outcomes.outcomes.0 {
                self.told(client, outcome.request, outcome.status);
            }
            return;
        }
        let Some(asked) = self.clients[client].asked.remove(&request) else { return };
        match (asked, message) {
            (Asked::Greeting, Message::Welcome(_)) => {
                if self.clients[client].kind == Kind::Reader {
                    self.resume(client);
                } else {
                    let ask = ListSessions { limit: 1000, ..ListSessions::default() };
                    self.ask(client, Asked::Sessions, ask);
                }
            }
            (Asked::Sessions, Message::Sessions(it)) => self.finds_session(client, &it),
            (Asked::Session, Message::SessionCreated(it)) => {
                self.clients[client].session = Some(it.session);
                self.resume(client);
            }
            (asked @ Asked::Submit { .. }, message) => self.submitted(client, asked, message),
            (Asked::Watch(requests), Message::Watched(it)) => {
                for (request, status) in requests.into_iter().zip(it.statuses.0) {
                    match status {
                        Status(0) => self.unknown(client, request),
                        status => self.told(client, request, status),
                    }
                }
            }
            (Asked::Cancel(request), Message::Cancelled(it)) => {
                let status = it.statuses.0.first().copied().unwrap_or_default();
                // None: it is of class 0, and of a coordinator before this one.
                if status != Status(0) {
                    self.told(client, request, status);
                }
            }
            (asked, Message::Refused(it)) if it.reason == Reason::NO_SESSION => {
                let what = format!("client {client} has lost its session: {asked:?}");
                self.checks.fault(Check::Promise, what);
            }
            (_, Message::Refused(it)) if it.reason == Reason::OUT_OF_ORDER => {
                self.checks.fault(Check::Promise, format!("client {client}: {it:?}"));
            }
            // Nobody coordinates there.
            (Asked::Greeting, _) => self.client_loses(client, link),
            (asked, message) => match self.clients[client].kind {
                Kind::FrontEnd => self.front_end_hears(client, asked, message),
                Kind::Holder => self.holder_hears(client, asked, message),
                Kind::Reader => self.reader_hears(client, asked, message),
                Kind::Mover => {}
            },
        }
    }

    /// Its session may have been left by itself: an answer was lost, or it was killed. Who fetches
    /// events assumes it, so that nothing is given to a connection of before.
    fn finds_session(&mut self, client: usize, sessions: &Sessions) {
        let info: Bytes<INFO_MAX> = Bytes::new(vec![client as u8 + 1]).expect("short");
        let found = sessions.sessions.0.iter().find(|it| it.info == info);
        if found.is_none() && self.clients[client].session.is_some() {
            self.checks.fault(Check::Promise, format!("the session of client {client} is lost"));
        }
        let assume = found.map_or(SessionId::NONE, |it| it.session);
        if self.clients[client].kind == Kind::Mover && found.is_some() {
            self.clients[client].session = Some(assume);
            self.resume(client);
        } else {
            let ask = CreateSession { assume, info, ..CreateSession::default() };
            self.ask(client, Asked::Session, ask);
        }
    }

    /// It is connected, and goes on where it was.
    fn resume(&mut self, client: usize) {
        let kind = self.clients[client].kind;
        self.clients[client].ready = true;
        self.watches(client);
        if matches!(kind, Kind::FrontEnd | Kind::Holder) {
            let session = self.session(client);
            let ask = ListTokens { session, limit: 100, ..ListTokens::default() };
            self.ask(client, Asked::Tokens, ask);
        }
        match kind {
            Kind::FrontEnd => self.front_end_resumes(client),
            Kind::Reader => self.reader_resumes(client),
            _ => {}
        }
    }

    pub(crate) fn session(&self, client: usize) -> SessionId {
        self.clients[client].session.unwrap_or_default()
    }

    pub(crate) fn respond(&mut self, client: usize, token: Token, error: u32) {
        let response = if error == 0 { Response::CONTINUE } else { Response::ABORT };
        self.checks.rights.given_back(token);
        let session = self.session(client);
        let respond = RespondEvent { session, token, response, error, ..RespondEvent::default() };
        self.ask(client, Asked::Response, respond);
    }

    /// A status is heard of.
    fn told(&mut self, client: usize, request: RequestId, status: Status) {
        let wanted = self.clients[client].wanted.get(&request).cloned();
        match self.checks.requests.told(request, status) {
            Ok(Some(known)) => {
                self.checks.effect(&known, status);
                self.clients[client].wanted.remove(&request);
                if let Some(wanted) = wanted.filter(|wanted| wanted.token != Token::NONE) {
                    self.moved_for_event(client, &wanted, status);
                }
            }
            Ok(None) => {}
            Err(what) => self.checks.fault(Check::Promise, what),
        }
    }

    /// A request that was accepted is not known any more.
    fn unknown(&mut self, client: usize, request: RequestId) {
        let Some(wanted) = self.clients[client].wanted.remove(&request) else { return };
        if wanted.class > 0 {
            self.checks.fault(
                Check::Promise,
                format!("request {request} of class {} is lost", wanted.class),
            );
        } else {
            self.checks.requests.known.remove(&request);
        }
    }
}
