//! `RightIs`.

use crate::codec::Zeros;
use crate::enums::Right;
use crate::macros::message;

message! {
    /// A right.
    RightIs = 0x0306 {
        right: Right,
        reserved: Zeros<7>,
    }
}
