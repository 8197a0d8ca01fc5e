//! `Withdraw`.

use crate::ids::{Epoch, SessionId, Token};
use crate::macros::message;

message! {
    /// Takes a token's rights back from a node, or a session.
    Withdraw = 0x0506 {
        epoch: Epoch,
        session: SessionId,
        /// None for the session.
        token: Token,
    }
}
