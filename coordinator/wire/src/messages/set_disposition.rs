//! `SetDisposition`.

use crate::codec::Zeros;
use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Says which events of a file system go to a session.
    SetDisposition = 0x0201 {
        session: SessionId,
        file_system: [u8; 16],
        /// Bits by event type.
        events: u32,
        reserved: Zeros<4>,
    }
}
