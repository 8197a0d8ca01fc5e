//! *Sessions*.

use dray_wire::messages::{
    CreateSession, DestroySession, ListSessions, SessionCreated, SessionInfo, Sessions, SetShare,
};
use dray_wire::{List, Message, SessionId, Zeros};

use super::bytes;

pub(super) fn all() -> Vec<Message> {
    vec![
        CreateSession {
            assume: SessionId(17),
            share: 300,
            reserved: Zeros,
            info: bytes(b"backup \xff\x00 policy"),
        }
        .into(),
        SessionCreated { session: SessionId(18) }.into(),
        DestroySession { session: SessionId(19) }.into(),
        ListSessions { after: SessionId(20), limit: 100, reserved: Zeros }.into(),
        Sessions {
            sessions: List(vec![
                SessionInfo {
                    session: SessionId(21),
                    share: 100,
                    outstanding: 2,
                    undelivered: 3,
                    queued: 4,
                    info: bytes(b"policy"),
                },
                SessionInfo {
                    session: SessionId(22),
                    share: 5,
                    outstanding: 6,
                    undelivered: 65_536,
                    queued: 8,
                    info: bytes(b""),
                },
            ]),
        }
        .into(),
        SetShare { session: SessionId(23), share: 50, reserved: Zeros }.into(),
    ]
}
