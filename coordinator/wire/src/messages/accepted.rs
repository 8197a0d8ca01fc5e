//! `Accepted`.

use crate::codec::List;
use crate::ids::RequestId;
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// The requests made of a submission, in its order.
    Accepted = 0x0402 {
        requests: List<RequestId, ITEMS_MAX>,
    }
}
