//! `Sessions`.

use crate::codec::{Bytes, List};
use crate::ids::SessionId;
use crate::limits::{INFO_MAX, PAGE_MAX};
use crate::macros::{message, record};

message! {
    /// A page of sessions, by id.
    Sessions = 0x0105 {
        sessions: List<SessionInfo, PAGE_MAX>,
    }
}

record! {
    /// A session.
    SessionInfo {
        session: SessionId,
        share: u32,
        /// Events delivered and not responded to.
        outstanding: u32,
        undelivered: u32,
        /// Requests not yet ended.
        queued: u32,
        info: Bytes<INFO_MAX>,
    }
}
