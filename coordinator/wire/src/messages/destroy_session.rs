//! `DestroySession`.

use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// Ends a session without events.
    DestroySession = 0x0103 {
        session: SessionId,
    }
}
