//! `ReleaseRight`.

use crate::ids::{FileHandle, SessionId, Token};
use crate::macros::message;

message! {
    /// Gives a right back.
    ReleaseRight = 0x0302 {
        session: SessionId,
        token: Token,
        handle: FileHandle,
    }
}
