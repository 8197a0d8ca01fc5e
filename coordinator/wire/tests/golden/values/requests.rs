//! *Requests*.

use dray_wire::messages::{
    ACCEPT_CONTENT, Accepted, Cancel, Cancelled, Item, KIND_FILE, KIND_SYMLINK, ListRequests,
    Outcome, Outcomes, RequestInfo, Requests, ShowRequest, Submit, Watch, Watched,
};
use dray_wire::{Class, List, Message, NodeId, Reason, RequestId, SessionId, Status, Verb, Zeros};

use super::{handle, name, other_handle, text};

pub(super) fn all() -> Vec<Message> {
    vec![
        submit().into(),
        Accepted { requests: List(vec![RequestId(71), RequestId(72)]) }.into(),
        outcomes().into(),
        Cancel { session: SessionId(73), requests: List(vec![RequestId(74)]) }.into(),
        Cancelled { statuses: List(vec![Status::CANCELLED, Status::MOVING, Status(0)]) }.into(),
        ListRequests { session: SessionId(75), after: 76, limit: 77, reserved: Zeros }.into(),
        requests().into(),
        ShowRequest { request: RequestId(78) }.into(),
        Watch { requests: List(vec![RequestId(79), RequestId(u64::MAX)]) }.into(),
        Watched { statuses: List(vec![Status::MOVING, Status(0)]) }.into(),
    ]
}

fn submit() -> Submit {
    let file = Item {
        handle: handle(),
        size: 1 << 30,
        lun: 3,
        place: 1 << 42,
        offset: 4096,
        length: 65_536,
        kind: KIND_FILE,
        reserved: Zeros,
        name: name(b"project/run-\xe4/data"),
    };
    let link = Item { handle: other_handle(), size: 9, kind: KIND_SYMLINK, ..Item::default() };
    Submit {
        session: SessionId(61),
        tenant: 62,
        class: Class::BACKGROUND,
        verb: Verb::REMOVE,
        flags: ACCEPT_CONTENT,
        deadline_ms: 63_000,
        reserved: Zeros,
        items: List(vec![file, link]),
    }
}

fn outcomes() -> Outcomes {
    let done = Outcome {
        request: RequestId(71),
        bytes: 1 << 30,
        status: Status::DONE,
        reserved: Zeros,
        reason: Reason::NONE,
        text: text(""),
    };
    let failed = Outcome {
        request: RequestId(72),
        bytes: 4095,
        status: Status::FAILED,
        reserved: Zeros,
        reason: Reason::DAMAGE,
        text: text("piece 5: the sum is wrong"),
    };
    Outcomes { outcomes: List(vec![done, failed]) }
}

fn requests() -> Requests {
    let information = RequestInfo {
        request: RequestId(79),
        session: SessionId(80),
        handle: handle(),
        bytes: 81,
        size: 82,
        class: Class::INTERACTIVE,
        verb: Verb::RELEASE,
        status: Status::MOVING,
        reserved: Zeros,
        reason: Reason::LATER,
        node: NodeId(83),
        position: 84,
        eta_ms: 85,
        waited_ms: 86,
        name: name(b"a"),
    };
    Requests { next: 87, requests: List(vec![information]) }
}
