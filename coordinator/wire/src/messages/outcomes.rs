//! `Outcomes`.

use crate::codec::{List, Text, Zeros};
use crate::enums::{Reason, Status};
use crate::ids::RequestId;
use crate::limits::ITEMS_MAX;
use crate::macros::{message, record};

message! {
    /// What became of requests; pushed.
    Outcomes = 0x0403 {
        outcomes: List<Outcome, ITEMS_MAX>,
    }
}

record! {
    /// What became of a request.
    Outcome {
        request: RequestId,
        /// Moved.
        bytes: u64,
        status: Status,
        reserved: Zeros<1>,
        reason: Reason,
        text: Text,
    }
}
