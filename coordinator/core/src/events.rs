//! Events and their tokens, from being raised to being responded to.

use std::collections::{BTreeMap, BTreeSet};

use dray_wire::limits::{EVENT_DATA_MAX, PAGE_MAX};
use dray_wire::messages::{Event, Events as EventList, *};
use dray_wire::{Bytes, Epoch, EventType, FileHandle, List, Reason, Response, Token};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::connections::Wait;
use crate::coordinator::Coordinator;
use crate::journal::Record;
use crate::limits::{DISPOSITION_WAIT_NS, UNDELIVERED_MAX};
use crate::machine::{EVENT, may_follow};
use crate::outbox::Refusal;
use crate::sessions::Reader;
use crate::talk::At;
use crate::timers::Due;

type Data = Bytes<EVENT_DATA_MAX>;

/// States of [`EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Undisposed,
    Undelivered,
    Outstanding,
    Answered,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Undisposed => "undisposed",
            Self::Undelivered => "undelivered",
            Self::Outstanding => "outstanding",
            Self::Answered => "answered",
        }
    }
}

/// A synchronous event that has no response yet.
#[derive(Debug)]
pub(crate) struct Raised {
    stage: Stage,
    pub(crate) event: Event,
    /// Who waits for the response.
    pub(crate) raiser: Option<(u32, u64)>,
    /// Files that rights are held on.
    handles: BTreeSet<FileHandle>,
    /// The session that made it, of a user event: such are in the journal.
    owner: Option<u32>,
}

impl Raised {
    fn go(&mut self, to: Stage) {
        assert!(may_follow(EVENT, self.stage.word(), to.word()), "{:?} to {to:?}", self.stage);
        self.stage = to;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    raised: HashMap<Token, Raised, FixedState>,
    /// Files that rights were held on before a restart under tokens that nobody has raised again.
    orphans: BTreeMap<Token, BTreeSet<FileHandle>>,
    last: u64,
}

impl Events {
    pub(crate) fn next_token(&mut self, epoch: Epoch) -> Token {
        self.last = self.last.max(epoch.0 << 32) + 1;
        Token(self.last)
    }

    /// Whether a token was given out in this epoch.
    pub(crate) fn was(&self, epoch: Epoch, token: Token) -> bool {
        token.0 > epoch.0 << 32 && token.0 <= self.last && !self.raised.contains_key(&token)
    }

    /// A right that was held before a restart; whether its token has to be raised again.
    pub(crate) fn restore_right(&mut self, token: Token, handle: FileHandle) -> bool {
        if let Some(raised) = self.raised.get_mut(&token) {
            raised.handles.insert(handle);
            return false;
        }
        self.orphans.entry(token).or_default().insert(handle);
        true
    }

    pub(crate) fn take_orphans(&mut self) -> BTreeMap<Token, BTreeSet<FileHandle>> {
        std::mem::take(&mut self.orphans)
    }

    /// A token has or waits for a right on a file.
    pub(crate) fn holds(&mut self, token: Token, handle: FileHandle) {
        if let Some(raised) = self.raised.get_mut(&token) {
            raised.handles.insert(handle);
        }
    }

    pub(crate) fn holds_no_more(&mut self, token: Token, handle: FileHandle) {
        if let Some(raised) = self.raised.get_mut(&token) {
            raised.handles.remove(&handle);
        }
    }

    /// Synchronous events without a response.
    pub(crate) fn len(&self) -> usize {
        self.raised.len()
    }

    /// Takes out an event that nobody has taken.
    pub(crate) fn give_up(&mut self, token: Token) -> Option<Raised> {
        self.raised.get(&token).filter(|raised| raised.stage == Stage::Undisposed)?;
        self.end(token)
    }

    fn end(&mut self, token: Token) -> Option<Raised> {
        let mut raised = self.raised.remove(&token)?;
        raised.go(Stage::Answered);
        Some(raised)
    }

    fn fetched(&mut self, token: Token) {
        if let Some(raised) = self.raised.get_mut(&token) {
            raised.go(Stage::Outstanding);
        }
    }

    /// Events that waited for a disposition like this, in the order of their tokens.
    pub(crate) fn undisposed(&self, file_system: [u8; 16], bits: u32) -> Vec<(Token, Event)> {
        let wanted = |event: &Event| {
            event.handle.file_system == file_system
                && event.event.bit().is_some_and(|bit| bits & bit != 0)
        };
        let waiting = self.raised.iter().filter(|(_, it)| it.stage == Stage::Undisposed);
        let mut found: Vec<_> = waiting
            .filter(|(_, raised)| wanted(&raised.event))
            .map(|(token, raised)| (*token, raised.event.clone()))
            .collect();
        found.sort_by_key(|(token, _)| *token);
        found
    }
}

impl Coordinator {
    //= docs/wire.md#w-31
    pub(crate) fn raise_event(&mut self, at: At, it: RaiseEvent) -> Result<(), Refusal> {
        if !it.event.is_known() || it.event == EventType::USER {
            let text = format!("{} is not raised", it.event);
            return Err(Refusal::new(Reason::UNKNOWN_VALUE, it.event.0.into(), text));
        }
        let mut event = Event {
            event: it.event,
            source: it.source,
            handle: it.handle,
            offset: it.offset,
            length: it.length,
            data: it.data,
            ..Event::default()
        };
        let session = self.sessions.disposed(it.handle.file_system, it.event);
        if !it.event.is_synchronous() {
            if let Some(session) = session {
                self.check_room(session)?;
                self.deliver(session, Token::NONE, event);
            }
            self.reply_done(at.0, at.1);
            return Ok(());
        }
        if self.raised_again(at, it.token)? {
            return Ok(());
        }
        if let Some(session) = session {
            self.check_room(session)?;
        }
        let token = match it.token {
            Token::NONE => self.events.next_token(self.setup.epoch),
            own => own,
        };
        event.token = token;
        let handles = self.events.orphans.remove(&token).unwrap_or_default();
        let (stage, event_kept) = (Stage::Undisposed, event.clone());
        let raised = Raised { stage, event: event_kept, raiser: Some(at), handles, owner: None };
        self.events.raised.insert(token, raised);
        match session {
            Some(session) => self.deliver(session, token, event),
            None => {
                self.timers.set(self.now_ns + DISPOSITION_WAIT_NS, Due::Disposition(token));
            }
        }
        Ok(())
    }

    /// Whether an event with this token is there: then it is answered over this connection.
    //= docs/wire.md#w-38
    fn raised_again(&mut self, at: At, token: Token) -> Result<bool, Refusal> {
        if token != Token::NONE && token.0 & SOURCE_TOKEN == 0 {
            let text = "a source chooses tokens with bit 63 set";
            return Err(Refusal::new(Reason::UNKNOWN_VALUE, token.0, text));
        }
        let Some(raised) = self.events.raised.get_mut(&token) else { return Ok(false) };
        if let Some((connection, request)) = raised.raiser.replace(at) {
            let text = "the event was raised again elsewhere";
            let refusal = Refusal::new(Reason::CONFLICT, token.0, text);
            self.refuse(connection, request, &refusal);
        }
        Ok(true)
    }

    pub(crate) fn check_room(&self, session: u32) -> Result<(), Refusal> {
        let state = &self.sessions.slab[session];
        if state.undelivered.len() < UNDELIVERED_MAX {
            return Ok(());
        }
        Err(Refusal::busy(state.id.0, 100, "the session does not fetch its events"))
    }

    /// Queues an event for a session, and hands it to a reader that waits.
    pub(crate) fn deliver(&mut self, session: u32, token: Token, event: Event) {
        if let Some(raised) = self.events.raised.get_mut(&token) {
            raised.go(Stage::Undelivered);
        }
        self.sessions.slab[session].undelivered.push_back(event);
        self.serve_readers(session);
    }

    fn serve_readers(&mut self, session: u32) {
        loop {
            let state = &mut self.sessions.slab[session];
            if state.undelivered.is_empty() {
                return;
            }
            let Some(reader) = state.readers.pop_front() else { return };
            self.timers.clear(reader.until_ns, reader.due(session));
            let events = self.fetch(session, reader.limit);
            self.reply_now(reader.connection, reader.request, events);
        }
    }

    //= docs/wire.md#w-32
    fn fetch(&mut self, session: u32, limit: u32) -> EventList {
        let state = &mut self.sessions.slab[session];
        let (mut bytes, mut count) = (0, 0);
        for event in state.undelivered.iter().take((limit as usize).min(PAGE_MAX)) {
            bytes += event.data.as_slice().len() + 80;
            if count > 0 && bytes > dray_wire::limits::BODY_MAX {
                break;
            }
            count += 1;
        }
        let events: Vec<Event> = state.undelivered.drain(..count).collect();
        for event in events.iter().filter(|event| event.token != Token::NONE) {
            state.outstanding.insert(event.token, ());
            self.events.fetched(event.token);
        }
        EventList { events: List(events) }
    }

    pub(crate) fn get_events(&mut self, at: At, it: &GetEvents) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        if it.wait_ms == 0 || !self.sessions.slab[session].undelivered.is_empty() {
            let events = self.fetch(session, it.limit.max(1));
            self.reply_now(at.0, at.1, events);
            return Ok(());
        }
        let until_ns = self.now_ns + u64::from(it.wait_ms) * 1_000_000;
        let reader = Reader { connection: at.0, request: at.1, limit: it.limit.max(1), until_ns };
        self.sessions.slab[session].readers.push_back(reader);
        self.timers.set(until_ns, reader.due(session));
        self.waits(at, Wait::Events(session));
        Ok(())
    }

    //= docs/wire.md#w-33
    pub(crate) fn respond_event(&mut self, at: At, it: &RespondEvent) -> Result<(), Refusal> {
        let session = self.token(it.session, it.token)?;
        let good = match it.response {
            Response::CONTINUE => it.error == 0,
            Response::ABORT => it.error != 0,
            _ => false,
        };
        if !good {
            let text = "continue comes with error 0, abort with another";
            return Err(Refusal::new(Reason::BAD_RESPONSE, it.token.0, text));
        }
        self.sessions.slab[session].outstanding.remove(&it.token);
        self.answer(it.token, it.response, it.error);
        self.reply_done(at.0, at.1);
        Ok(())
    }

    /// Ends an event: its rights go back, and whoever waits for it goes on.
    fn answer(&mut self, token: Token, response: Response, error: u32) {
        let Some(raised) = self.events.end(token) else { return };
        if raised.owner.is_some() || !raised.handles.is_empty() {
            self.journal.put(&Record::TokenGone { token });
        }
        for handle in raised.handles {
            self.give_back(handle, token);
        }
        if let Some((connection, request)) = raised.raiser {
            let answered = EventAnswered { response, error, token, ..EventAnswered::default() };
            self.reply_now(connection, request, answered);
        }
    }

    //= docs/wire.md#w-36
    pub(crate) fn pend_event(&mut self, at: At, it: &PendEvent) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        self.reply_done(at.0, at.1);
        Ok(())
    }

    //= docs/wire.md#w-34
    pub(crate) fn move_event(&mut self, at: At, it: &MoveEvent) -> Result<(), Refusal> {
        let target = self.session(it.target)?;
        let from = self.token(it.session, it.token)?;
        self.sessions.slab[from].outstanding.remove(&it.token);
        self.sessions.slab[target].outstanding.insert(it.token, ());
        if let Some(owner) = self.events.raised.get_mut(&it.token).and_then(|it| it.owner.as_mut())
        {
            *owner = target;
            self.keep_token(it.token);
        }
        self.reply(at.0, at.1, TokenIs { token: it.token });
        Ok(())
    }

    //= docs/wire.md#w-35
    pub(crate) fn create_user_event(&mut self, at: At, it: CreateUserEvent) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        self.check_store()?;
        let token = self.events.next_token(self.setup.epoch);
        self.restore_token(session, token, it.data);
        self.keep_token(token);
        self.reply(at.0, at.1, TokenIs { token });
        Ok(())
    }

    /// A user event of a session, outstanding in it.
    pub(crate) fn restore_token(&mut self, session: u32, token: Token, data: Data) {
        self.sessions.slab[session].outstanding.insert(token, ());
        self.user_event(token, Stage::Outstanding, data, (None, Some(session)));
    }

    fn user_event(
        &mut self,
        token: Token,
        stage: Stage,
        data: Data,
        (raiser, owner): (Option<At>, Option<u32>),
    ) {
        let event = Event { token, event: EventType::USER, data, ..Event::default() };
        let raised = Raised { stage, event, raiser, handles: BTreeSet::new(), owner };
        self.events.raised.insert(token, raised);
    }

    /// Records a user event as it is now, if it is one that a session made.
    //= docs/journal.md#j-5
    pub(crate) fn keep_token(&mut self, token: Token) {
        let Some(raised) = self.events.raised.get(&token) else { return };
        let Some(owner) = raised.owner.and_then(|owner| self.sessions.slab.get(owner)) else {
            return;
        };
        let record = Record::Token { root: owner.root, token, data: raised.event.data.clone() };
        self.journal.put(&record);
    }

    pub(crate) fn send_message(&mut self, at: At, it: SendMessage) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        self.check_room(session)?;
        if it.wait != 1 {
            let event = Event { event: EventType::USER, data: it.data, ..Event::default() };
            self.deliver(session, Token::NONE, event);
            self.reply_done(at.0, at.1);
            return Ok(());
        }
        // Whom it is for is known: there is no disposition to wait for.
        let token = self.events.next_token(self.setup.epoch);
        self.user_event(token, Stage::Undisposed, it.data, (Some(at), None));
        let event = self.events.raised[&token].event.clone();
        self.deliver(session, token, event);
        Ok(())
    }

    pub(crate) fn list_tokens(&mut self, at: At, it: &ListTokens) -> Result<(), Refusal> {
        use std::ops::Bound::{Excluded, Unbounded};
        let session = self.session(it.session)?;
        let own = &self.sessions.slab[session].outstanding;
        let range = own.range((Excluded(it.after), Unbounded));
        let limit = (it.limit as usize).min(PAGE_MAX);
        let tokens = List(range.take(limit).map(|(token, ())| *token).collect());
        self.reply(at.0, at.1, Tokens { tokens });
        Ok(())
    }

    pub(crate) fn find_event(&mut self, at: At, it: &FindEvent) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        let found = self.events.raised.get(&it.token).map(|raised| raised.event.clone());
        self.reply(at.0, at.1, EventList { events: List(found.into_iter().collect()) });
        Ok(())
    }
}
