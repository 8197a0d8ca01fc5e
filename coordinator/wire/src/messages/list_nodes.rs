//! `ListNodes`.

use crate::macros::message;

message! {
    /// Asks which nodes there are.
    ListNodes = 0x050c {}
}
