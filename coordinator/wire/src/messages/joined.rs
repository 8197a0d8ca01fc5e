//! `Joined`.

use crate::codec::Zeros;
use crate::ids::{Epoch, NodeId};
use crate::macros::message;

message! {
    /// The reply to `Join`.
    Joined = 0x0502 {
        node: NodeId,
        reserved: Zeros<2>,
        lease_ms: u32,
        epoch: Epoch,
    }
}
