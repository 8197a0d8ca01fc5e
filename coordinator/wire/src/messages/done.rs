//! `Done`.

use crate::macros::message;

message! {
    /// The reply when there is nothing to say but that it was done.
    Done = 0x0004 {}
}
