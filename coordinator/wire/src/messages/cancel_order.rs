//! `CancelOrder`.

use crate::codec::List;
use crate::ids::{Epoch, OrderId};
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// Takes items of an order back, if they have not begun.
    CancelOrder = 0x050b {
        epoch: Epoch,
        order: OrderId,
        items: List<u32, ITEMS_MAX>,
    }
}
