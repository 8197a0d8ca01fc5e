//! Events, from where they arise to their response.

use dray_wire::messages::*;
use dray_wire::{Bytes, EventType, Message, Reason, Response, SessionId, Token};

use crate::parties::*;

fn raise(event: EventType) -> RaiseEvent {
    RaiseEvent { event, handle: handle(1), offset: 5, length: 6, ..RaiseEvent::default() }
}

fn dispose(session: SessionId, events: &[EventType]) -> SetDisposition {
    let events = events.iter().filter_map(|it| it.bit()).sum();
    SetDisposition { session, file_system: FS, events, ..SetDisposition::default() }
}

fn get(session: SessionId, wait_ms: u32) -> GetEvents {
    GetEvents { session, limit: 10, wait_ms }
}

fn respond(session: SessionId, token: Token, response: Response, error: u32) -> RespondEvent {
    RespondEvent { session, token, response, error, ..RespondEvent::default() }
}

#[test]
fn a_blocked_reader_goes_on_when_its_event_is_responded_to() {
    let mut all = Parties::new();
    let (client, source) = (all.client(), all.client());
    let session = all.session(client);
    all.ask(client, dispose(session, &[EventType::READ]));
    let waits = all.tell(client, get(session, 1000));
    let blocked = all.tell(source, raise(EventType::READ));
    let Some(Message::Events(events)) = all.reply(client, waits) else { panic!() };
    let token = events.events.0[0].token;
    assert!(all.reply(source, blocked).is_none());
    let bad = respond(session, token, Response::CONTINUE, 5);
    assert_eq!(all.refused(client, bad), Reason::BAD_RESPONSE);
    let bad = respond(session, token, Response::ABORT, 0);
    assert_eq!(all.refused(client, bad), Reason::BAD_RESPONSE);
    let good = respond(session, token, Response::ABORT, 5);
    assert!(matches!(all.ask(client, good.clone()), Message::Done(_)));
    let Some(Message::EventAnswered(it)) = all.reply(source, blocked) else { panic!() };
    assert_eq!((it.response, it.error), (Response::ABORT, 5));
    assert_eq!(all.refused(client, good), Reason::ANSWERED);
    let unknown = respond(session, Token(3), Response::CONTINUE, 0);
    assert_eq!(all.refused(client, unknown), Reason::NO_TOKEN);
}

#[test]
fn without_a_disposition_it_waits_and_then_fails() {
    let mut all = Parties::new();
    let (client, source) = (all.client(), all.client());
    let session = all.session(client);
    let first = all.tell(source, raise(EventType::READ));
    all.sleep(29_000 * MS);
    assert!(all.reply(source, first).is_none());
    let second = all.tell(source, raise(EventType::WRITE));
    all.sleep(2_000 * MS);
    let Some(Message::Refused(it)) = all.reply(source, first) else { panic!() };
    assert_eq!(it.reason, Reason::NO_DISPOSITION);
    // In time for the second.
    all.ask(client, dispose(session, &[EventType::WRITE]));
    let Message::Events(events) = all.ask(client, get(session, 0)) else { panic!() };
    let token = events.events.0[0].token;
    all.ask(client, respond(session, token, Response::CONTINUE, 0));
    assert!(matches!(all.reply(source, second), Some(Message::EventAnswered(_))));
}

#[test]
fn the_last_to_set_a_disposition_has_it() {
    let mut all = Parties::new();
    let client = all.client();
    let (first, second) = (all.session(client), all.session(client));
    all.ask(client, dispose(first, &[EventType::READ, EventType::CLOSE]));
    all.ask(client, dispose(second, &[EventType::CLOSE]));
    all.ask(client, raise(EventType::CLOSE));
    let Message::Events(events) = all.ask(client, get(second, 0)) else { panic!() };
    assert_eq!(events.events.0[0].token, Token::NONE);
    let Message::Events(events) = all.ask(client, get(first, 0)) else { panic!() };
    assert!(events.events.0.is_empty());
    let Message::Dispositions(it) = all.ask(client, ListDispositions { session: first }) else {
        panic!()
    };
    assert_eq!(it.dispositions.0[0].events, EventType::READ.bit().unwrap());
}

#[test]
fn an_event_moves_with_its_token_and_rights() {
    let mut all = Parties::new();
    let client = all.client();
    let (from, target) = (all.session(client), all.session(client));
    let token = all.token(client, from);
    let right = RequestRight {
        session: from,
        token,
        handle: handle(1),
        right: dray_wire::Right::EXCL,
        ..RequestRight::default()
    };
    all.ask(client, right);
    let Message::TokenIs(it) = all.ask(client, MoveEvent { session: from, token, target }) else {
        panic!()
    };
    assert_eq!(it.token, token);
    let query = |session| QueryRight { session, token, handle: handle(1) };
    assert_ne!(all.refused(client, query(from)), Reason::NONE);
    let Message::RightIs(it) = all.ask(client, query(target)) else { panic!() };
    assert_eq!(it.right, dray_wire::Right::EXCL);
}

#[test]
fn messages_reach_a_session_and_wait_if_asked() {
    let mut all = Parties::new();
    let (client, sender) = (all.client(), all.client());
    let session = all.session(client);
    let data = Bytes::new(*b"hello").unwrap();
    let message = SendMessage { session, wait: 1, data, ..SendMessage::default() };
    let waits = all.tell(sender, message);
    let Message::Events(events) = all.ask(client, get(session, 0)) else { panic!() };
    assert_eq!(events.events.0[0].data.as_slice(), b"hello");
    assert!(all.reply(sender, waits).is_none());
    all.ask(client, respond(session, events.events.0[0].token, Response::CONTINUE, 0));
    assert!(matches!(all.reply(sender, waits), Some(Message::EventAnswered(_))));
}

#[test]
fn a_reader_does_not_wait_for_ever() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let waits = all.tell(client, get(session, 50));
    all.sleep(49 * MS);
    assert!(all.reply(client, waits).is_none());
    all.sleep(2 * MS);
    let Some(Message::Events(events)) = all.reply(client, waits) else { panic!() };
    assert!(events.events.0.is_empty());
}
