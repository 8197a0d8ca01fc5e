//! *Events*.

use dray_wire::messages::{
    CreateUserEvent, Disposition, Dispositions, Event, EventAnswered, Events, FindEvent, GetEvents,
    ListDispositions, ListTokens, MoveEvent, PendEvent, RaiseEvent, RespondEvent, SOURCE_TOKEN,
    SendMessage, SetDisposition, TokenIs, Tokens,
};
use dray_wire::{EventType, List, Message, Response, SessionId, Token, Zeros};

use super::{bytes, handle, other_handle, sixteen};

/// `ENOSPC`.
const NO_SPACE: u32 = 28;

pub(super) fn all() -> Vec<Message> {
    let mut all = dispositions();
    all.extend(delivery());
    all.extend(answers());
    all.extend(tokens());
    all
}

fn dispositions() -> Vec<Message> {
    vec![
        SetDisposition {
            session: SessionId(31),
            file_system: sixteen(0x20),
            events: 0b1110,
            reserved: Zeros,
        }
        .into(),
        ListDispositions { session: SessionId(32) }.into(),
        Dispositions {
            dispositions: List(vec![
                Disposition { file_system: sixteen(0x30), events: 1 << 19, reserved: Zeros },
                Disposition { file_system: sixteen(0x40), events: 0, reserved: Zeros },
            ]),
        }
        .into(),
    ]
}

fn delivery() -> Vec<Message> {
    let first = Event {
        token: Token(35),
        event: EventType::READ,
        reserved: Zeros,
        source: 36,
        handle: handle(),
        offset: 4096,
        length: 8192,
        data: bytes(b""),
    };
    let second = Event {
        token: Token::NONE,
        event: EventType::DESTROY,
        handle: other_handle(),
        data: bytes(b"gone"),
        ..Event::default()
    };
    vec![
        RaiseEvent {
            event: EventType::WRITE,
            reserved: Zeros,
            source: 33,
            token: Token(SOURCE_TOKEN | 34),
            handle: handle(),
            offset: 1 << 40,
            length: u64::MAX,
            data: bytes(b"\x00\x01\x02"),
        }
        .into(),
        EventAnswered {
            response: Response::ABORT,
            reserved: Zeros,
            error: NO_SPACE,
            token: Token(34),
        }
        .into(),
        GetEvents { session: SessionId(37), limit: 38, wait_ms: 39_000 }.into(),
        Events { events: List(vec![first, second]) }.into(),
    ]
}

fn answers() -> Vec<Message> {
    vec![
        RespondEvent {
            session: SessionId(40),
            token: Token(41),
            response: Response::CONTINUE,
            reserved: Zeros,
            error: 0,
        }
        .into(),
        PendEvent { session: SessionId(42), token: Token(43), delay_ms: 60_000, reserved: Zeros }
            .into(),
        MoveEvent { session: SessionId(44), token: Token(45), target: SessionId(46) }.into(),
        TokenIs { token: Token(47) }.into(),
    ]
}

fn tokens() -> Vec<Message> {
    vec![
        CreateUserEvent { session: SessionId(48), data: bytes(b"mine") }.into(),
        SendMessage { session: SessionId(49), wait: 1, reserved: Zeros, data: bytes(b"hello") }
            .into(),
        ListTokens { session: SessionId(50), after: Token(51), limit: 52, reserved: Zeros }.into(),
        Tokens { tokens: List(vec![Token(53), Token(54), Token(u64::MAX)]) }.into(),
        FindEvent { session: SessionId(55), token: Token(56) }.into(),
    ]
}
