//! `RequestRight`.

use crate::codec::Zeros;
use crate::enums::Right;
use crate::ids::{FileHandle, SessionId, Token};
use crate::macros::message;

message! {
    /// Asks for a right.
    RequestRight = 0x0301 {
        session: SessionId,
        token: Token,
        handle: FileHandle,
        right: Right,
        /// 1: wait for it.
        wait: u8,
        reserved: Zeros<6>,
    }
}
