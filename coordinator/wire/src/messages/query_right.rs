//! `QueryRight`.

use crate::ids::{FileHandle, SessionId, Token};
use crate::macros::message;

message! {
    /// Asks which right a token has on a handle.
    QueryRight = 0x0305 {
        session: SessionId,
        token: Token,
        handle: FileHandle,
    }
}
