//! `OrderProgress`.

use crate::ids::{Epoch, OrderId};
use crate::macros::message;

message! {
    /// Bytes of an order moved so far.
    OrderProgress = 0x0509 {
        epoch: Epoch,
        order: OrderId,
        bytes: u64,
    }
}
