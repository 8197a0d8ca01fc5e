//! `Requests`.

use crate::codec::{List, Name, Zeros};
use crate::enums::{Class, Reason, Status, Verb};
use crate::ids::{FileHandle, NodeId, RequestId, SessionId};
use crate::limits::PAGE_MAX;
use crate::macros::{message, record};

message! {
    /// A page of requests.
    Requests = 0x0407 {
        /// Where the next page begins; 0 if there is none.
        next: u64,
        requests: List<RequestInfo, PAGE_MAX>,
    }
}

record! {
    /// A request.
    RequestInfo {
        request: RequestId,
        session: SessionId,
        handle: FileHandle,
        /// Moved so far.
        bytes: u64,
        size: u64,
        class: Class,
        verb: Verb,
        status: Status,
        reserved: Zeros<1>,
        reason: Reason,
        /// That works on it.
        node: NodeId,
        /// Requests that are served before it, about.
        position: u64,
        /// Until it is done, about; 0 if that is not known.
        eta_ms: u32,
        /// Since it was submitted, or from then to its end.
        waited_ms: u32,
        name: Name,
    }
}
