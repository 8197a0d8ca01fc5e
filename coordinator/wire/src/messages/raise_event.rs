//! `RaiseEvent`.

use crate::codec::{Bytes, Zeros};
use crate::enums::EventType;
use crate::ids::FileHandle;
use crate::limits::EVENT_DATA_MAX;
use crate::macros::message;

message! {
    /// Something happened at the node that sends this.
    RaiseEvent = 0x0204 {
        event: EventType,
        reserved: Zeros<3>,
        /// Who raised it, as he likes.
        source: u32,
        handle: FileHandle,
        offset: u64,
        length: u64,
        data: Bytes<EVENT_DATA_MAX>,
    }
}
