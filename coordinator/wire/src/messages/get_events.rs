//! `GetEvents`.

use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Takes events off the queue of a session.
    GetEvents = 0x0206 {
        session: SessionId,
        limit: u32,
        /// How long to wait for the first.
        wait_ms: u32,
    }
}
