//! `TokenIs`.

use crate::ids::Token;
use crate::macros::message;

message! {
    /// A token.
    TokenIs = 0x020b {
        token: Token,
    }
}
