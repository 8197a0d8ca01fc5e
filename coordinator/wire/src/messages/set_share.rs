//! `SetShare`.

use crate::codec::Zeros;
use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Changes the share of a session.
    SetShare = 0x0106 {
        session: SessionId,
        share: u32,
        reserved: Zeros<4>,
    }
}
