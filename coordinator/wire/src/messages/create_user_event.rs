//! `CreateUserEvent`.

use crate::codec::Bytes;
use crate::ids::SessionId;
use crate::limits::EVENT_DATA_MAX;
use crate::macros::message;

message! {
    /// Makes an outstanding event for which nobody waits.
    CreateUserEvent = 0x020c {
        session: SessionId,
        data: Bytes<EVENT_DATA_MAX>,
    }
}
