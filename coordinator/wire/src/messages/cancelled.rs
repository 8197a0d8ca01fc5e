//! `Cancelled`.

use crate::codec::List;
use crate::enums::Status;
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// How the requests stand after cancelling; 0 for one that is not known.
    Cancelled = 0x0405 {
        statuses: List<Status, ITEMS_MAX>,
    }
}
