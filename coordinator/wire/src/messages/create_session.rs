//! `CreateSession`.

use crate::codec::{Bytes, Zeros};
use crate::ids::SessionId;
use crate::limits::INFO_MAX;
use crate::macros::message;

//= docs/wire.md#w-23
message! {
    /// Makes a session, or assumes one.
    CreateSession = 0x0101 {
        /// The session to assume, or none.
        assume: SessionId,
        /// Of the service; 0 for the usual 100.
        share: u32,
        reserved: Zeros<4>,
        info: Bytes<INFO_MAX>,
    }
}
