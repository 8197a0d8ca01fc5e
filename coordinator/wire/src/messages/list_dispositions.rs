//! `ListDispositions`.

use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Asks for the dispositions of a session.
    ListDispositions = 0x0202 {
        session: SessionId,
    }
}
