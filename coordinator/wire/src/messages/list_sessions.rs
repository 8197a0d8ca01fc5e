//! `ListSessions`.

use crate::codec::Zeros;
use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Asks for a page of sessions.
    ListSessions = 0x0104 {
        after: SessionId,
        limit: u32,
        reserved: Zeros<4>,
    }
}
