//! `EventAnswered`.

use crate::codec::Zeros;
use crate::enums::Response;
use crate::ids::Token;
use crate::macros::message;

message! {
    /// How a synchronous event was responded to.
    EventAnswered = 0x0205 {
        response: Response,
        reserved: Zeros<3>,
        /// An errno of Linux; 0 with *continue*.
        error: u32,
        token: Token,
    }
}
