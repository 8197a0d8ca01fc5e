//! `ListTokens`.

use crate::codec::Zeros;
use crate::ids::{SessionId, Token};
use crate::macros::message;

message! {
    /// Asks for a page of the tokens of a session.
    ListTokens = 0x020e {
        session: SessionId,
        after: Token,
        limit: u32,
        reserved: Zeros<4>,
    }
}
