//! `Watch`.

use crate::codec::List;
use crate::ids::RequestId;
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// Has the outcomes of requests pushed to this connection, also of those that have ended.
    Watch = 0x0409 {
        requests: List<RequestId, ITEMS_MAX>,
    }
}
