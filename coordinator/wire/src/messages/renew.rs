//! `Renew`.

use crate::codec::Zeros;
use crate::ids::Epoch;
use crate::macros::message;

message! {
    /// A node asks for its lease to be renewed.
    Renew = 0x0503 {
        epoch: Epoch,
        /// On the clock of the node.
        sent_ns: u64,
        /// Items under way.
        load: u32,
        reserved: Zeros<4>,
    }
}
