//! `Ping`.

use crate::macros::message;

message! {
    /// Asks whether anybody is there.
    Ping = 0x0005 {}
}
