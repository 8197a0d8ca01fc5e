//! `RaiseEvent`.

use crate::codec::{Bytes, Zeros};
use crate::enums::EventType;
use crate::ids::{FileHandle, Token};
use crate::limits::EVENT_DATA_MAX;
use crate::macros::message;

message! {
    /// Something happened at the node that sends this.
    RaiseEvent = 0x0204 {
        event: EventType,
        reserved: Zeros<3>,
        /// Who raised it, as he likes.
        source: u32,
        /// Chosen by the source, with [`SOURCE_TOKEN`] in it; 0: the coordinator chooses.
        token: Token,
        handle: FileHandle,
        offset: u64,
        length: u64,
        data: Bytes<EVENT_DATA_MAX>,
    }
}

/// Tokens with this bit are chosen by sources of events.
pub const SOURCE_TOKEN: u64 = 1 << 63;
