//! `DowngradeRight`.

use crate::ids::{FileHandle, SessionId, Token};
use crate::macros::message;

message! {
    /// From EXCL to SHARED.
    DowngradeRight = 0x0304 {
        session: SessionId,
        token: Token,
        handle: FileHandle,
    }
}
