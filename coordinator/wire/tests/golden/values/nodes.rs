//! *Nodes*.

use dray_wire::messages::{
    ACCEPT_CONTENT, CancelOrder, FILE_SYSTEM, Grant, ItemResult, Join, Joined, KIND_DIRECTORY,
    ListNodes, NodeInfo, Nodes, Order, OrderDone, OrderItem, OrderProgress, OrderRefused, Renew,
    Renewed, SILENT, SetLimit, Withdraw,
};
use dray_wire::{
    Class, Epoch, List, Message, NodeId, OrderId, Reason, Right, SessionId, Status, Step, Token,
    Verb, Zeros,
};

use super::{bytes, handle, name, other_handle, sixteen, text};

/// Of all, but in `Renewed`.
const EPOCH: Epoch = Epoch(0x0102_0304);

pub(super) fn all() -> Vec<Message> {
    let mut all = leases();
    all.extend(orders());
    all.extend(service());
    all
}

fn leases() -> Vec<Message> {
    vec![
        Join { cores: 96, reserved: Zeros, file_systems: List(vec![sixteen(0x50), sixteen(0x60)]) }
            .into(),
        Joined { node: NodeId(91), reserved: Zeros, lease_ms: 10_000, epoch: EPOCH }.into(),
        Renew { epoch: EPOCH, sent_ns: 0x1122_3344_5566_7788, load: 92, reserved: Zeros }.into(),
        Renewed {
            epoch: Epoch(93),
            sent_ns: 0x1122_3344_5566_7788,
            lease_ms: 9000,
            reserved: Zeros,
        }
        .into(),
        Grant {
            epoch: EPOCH,
            session: SessionId(94),
            token: Token(95),
            right: Right::SHARED,
            reserved: Zeros,
            handles: List(vec![handle(), other_handle()]),
        }
        .into(),
        Withdraw { epoch: EPOCH, session: SessionId(96), token: Token(97) }.into(),
    ]
}

fn orders() -> Vec<Message> {
    vec![
        order().into(),
        order_done().into(),
        OrderProgress { epoch: EPOCH, order: OrderId(98), bytes: 1 << 33 }.into(),
        OrderRefused {
            epoch: EPOCH,
            order: OrderId(99),
            reason: Reason::LEASE_ENDED,
            reserved: Zeros,
            text: text("3 s ago"),
        }
        .into(),
        CancelOrder { epoch: EPOCH, order: OrderId(100), items: List(vec![0, 7, 4095]) }.into(),
    ]
}

fn order() -> Order {
    let item = OrderItem {
        handle: handle(),
        size: 1 << 35,
        offset: 1 << 34,
        length: 1 << 30,
        kind: KIND_DIRECTORY,
        reserved: Zeros,
        name: name(b"dir"),
        receipt: bytes(b"what begin said"),
    };
    Order {
        epoch: EPOCH,
        order: OrderId(101),
        session: SessionId(102),
        token: Token(103),
        right: Right::EXCL,
        verb: Verb::RESTORE,
        step: Step::PART,
        class: Class::BLOCKED,
        core: 11,
        flags: ACCEPT_CONTENT | SILENT,
        lease_ms: 8000,
        reserved: Zeros,
        items: List(vec![item]),
    }
}

fn order_done() -> OrderDone {
    let result = ItemResult {
        index: 104,
        core: 12,
        status: Status::NOTHING,
        reserved: Zeros,
        bytes: 105,
        reason: Reason::WRONG_FILE,
        reserved_too: Zeros,
        text: text("as it was"),
        receipt: bytes(b"\x09\x08\x07"),
    };
    OrderDone { epoch: EPOCH, order: OrderId(106), results: List(vec![result]) }
}

fn service() -> Vec<Message> {
    let node = NodeInfo {
        node: NodeId(1),
        cores: 2,
        running: 3,
        load: 4,
        lease_left_ms: 5,
        done: 6,
        bytes: 7,
        core_bytes: List(vec![8, 9]),
        coordinator: 1,
        reserved: Zeros,
        name: text("node-1"),
    };
    vec![
        ListNodes {}.into(),
        Nodes { nodes: List(vec![node]) }.into(),
        SetLimit {
            scope: FILE_SYSTEM,
            reserved: Zeros,
            file_system: sixteen(0x70),
            session: SessionId(107),
            bytes_per_second: 5 << 30,
        }
        .into(),
    ]
}
