//! `Watched`.

use crate::codec::List;
use crate::enums::Status;
use crate::limits::ITEMS_MAX;
use crate::macros::message;

message! {
    /// How the requests stand; 0 for one that is not known.
    Watched = 0x040A {
        statuses: List<Status, ITEMS_MAX>,
    }
}
