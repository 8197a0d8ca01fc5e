//! `FindEvent`.

use crate::ids::{SessionId, Token};
use crate::macros::message;

message! {
    /// Asks what a token stands for.
    FindEvent = 0x0210 {
        session: SessionId,
        token: Token,
    }
}
