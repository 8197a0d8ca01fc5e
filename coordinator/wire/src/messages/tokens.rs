//! `Tokens`.

use crate::codec::List;
use crate::ids::Token;
use crate::limits::PAGE_MAX;
use crate::macros::message;

message! {
    /// A page of tokens.
    Tokens = 0x020f {
        tokens: List<Token, PAGE_MAX>,
    }
}
