//! `MoveEvent`.

use crate::ids::{SessionId, Token};
use crate::macros::message;

message! {
    /// Gives an outstanding event to another session.
    MoveEvent = 0x020a {
        session: SessionId,
        token: Token,
        target: SessionId,
    }
}
