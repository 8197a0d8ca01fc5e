//! `Grant`.

use crate::codec::{List, Zeros};
use crate::enums::Right;
use crate::ids::{Epoch, FileHandle, SessionId, Token};
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// Gives a node a session, and rights on handles under a token.
    Grant = 0x0505 {
        epoch: Epoch,
        session: SessionId,
        token: Token,
        right: Right,
        reserved: Zeros<7>,
        handles: List<FileHandle, ITEMS_MAX>,
    }
}
