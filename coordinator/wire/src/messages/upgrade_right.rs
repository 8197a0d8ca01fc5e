//! `UpgradeRight`.

use crate::codec::Zeros;
use crate::ids::{FileHandle, SessionId, Token};
use crate::macros::message;

message! {
    /// From SHARED to EXCL.
    UpgradeRight = 0x0303 {
        session: SessionId,
        token: Token,
        handle: FileHandle,
        /// 1: wait for it.
        wait: u8,
        reserved: Zeros<7>,
    }
}
