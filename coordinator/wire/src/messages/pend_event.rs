//! `PendEvent`.

use crate::codec::Zeros;
use crate::ids::{SessionId, Token};
use crate::macros::message;

message! {
    /// Says that the response will take long.
    PendEvent = 0x0209 {
        session: SessionId,
        token: Token,
        delay_ms: u32,
        reserved: Zeros<4>,
    }
}
