//! `RespondEvent`.

use crate::codec::Zeros;
use crate::enums::Response;
use crate::ids::{SessionId, Token};
use crate::macros::message;

message! {
    /// Lets who waits for an event go on, or fail.
    RespondEvent = 0x0208 {
        session: SessionId,
        token: Token,
        response: Response,
        reserved: Zeros<3>,
        error: u32,
    }
}
