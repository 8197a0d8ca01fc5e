//! `Order`.

use crate::codec::{Bytes, List, Name, Zeros};
use crate::enums::{Class, Right, Step, Verb};
use crate::ids::{Epoch, FileHandle, OrderId, SessionId, Token};
use crate::limits::{ITEMS_MAX, RECEIPTS_MAX};
use crate::macros::{message, record};

message! {
    /// Work for a node.
    Order = 0x0507 {
        epoch: Epoch,
        order: OrderId,
        session: SessionId,
        token: Token,
        right: Right,
        verb: Verb,
        step: Step,
        class: Class,
        /// The core that the extents are nearest to.
        core: u16,
        /// Those of the submission.
        flags: u16,
        lease_ms: u32,
        reserved: Zeros<4>,
        items: List<OrderItem, ITEMS_MAX>,
    }
}

record! {
    /// A file, or a part of one, to be moved.
    OrderItem {
        handle: FileHandle,
        size: u64,
        offset: u64,
        /// 0 for all.
        length: u64,
        kind: u8,
        reserved: Zeros<1>,
        name: Name,
        /// Of the steps before.
        receipt: Bytes<RECEIPTS_MAX>,
    }
}
