//! `ListRequests`.

use crate::codec::Zeros;
use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Asks for a page of requests.
    ListRequests = 0x0406 {
        /// None for all.
        session: SessionId,
        /// `next` of the page before; 0 for the first.
        after: u64,
        limit: u32,
        reserved: Zeros<4>,
    }
}
