//! `SetLimit`.

use crate::codec::Zeros;
use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Changes how many bytes per second may be moved.
    SetLimit = 0x050e {
        /// [`FILE_SYSTEM`] or [`SESSION`].
        scope: u8,
        reserved: Zeros<7>,
        file_system: [u8; 16],
        session: SessionId,
        /// 0: as many as can be.
        bytes_per_second: u64,
    }
}

pub const FILE_SYSTEM: u8 = 1;
pub const SESSION: u8 = 2;
