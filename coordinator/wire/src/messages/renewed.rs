//! `Renewed`.

use crate::codec::Zeros;
use crate::ids::Epoch;
use crate::macros::message;

message! {
    /// The reply to `Renew`.
    Renewed = 0x0504 {
        epoch: Epoch,
        /// As it came.
        sent_ns: u64,
        /// Counted from `sent_ns`.
        lease_ms: u32,
        reserved: Zeros<4>,
    }
}
