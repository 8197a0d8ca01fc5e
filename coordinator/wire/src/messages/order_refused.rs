//! `OrderRefused`.

use crate::codec::{Text, Zeros};
use crate::enums::Reason;
use crate::ids::{Epoch, OrderId};
use crate::macros::message;

message! {
    /// A node does none of an order.
    OrderRefused = 0x050a {
        epoch: Epoch,
        order: OrderId,
        reason: Reason,
        reserved: Zeros<6>,
        text: Text,
    }
}
