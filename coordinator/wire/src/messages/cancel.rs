//! `Cancel`.

use crate::codec::List;
use crate::ids::{RequestId, SessionId};
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// Takes requests back.
    Cancel = 0x0404 {
        session: SessionId,
        requests: List<RequestId, ITEMS_MAX>,
    }
}
