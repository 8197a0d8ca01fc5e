//! `OrderDone`.

use crate::codec::{Bytes, List, Text, Zeros};
use crate::enums::{Reason, Status};
use crate::ids::{Epoch, OrderId};
use crate::limits::{ITEMS_MAX, RECEIPT_MAX};
use crate::macros::{message, record};

message! {
    /// What became of items of an order.
    OrderDone = 0x0508 {
        epoch: Epoch,
        order: OrderId,
        results: List<ItemResult, ITEMS_MAX>,
    }
}

record! {
    /// What became of an item.
    ItemResult {
        /// In the order.
        index: u32,
        /// That moved it.
        core: u16,
        status: Status,
        reserved: Zeros<1>,
        bytes: u64,
        reason: Reason,
        reserved_too: Zeros<2>,
        text: Text,
        receipt: Bytes<RECEIPT_MAX>,
    }
}
