//! `SessionCreated`.

use crate::ids::SessionId;
use crate::macros::message;

message! {
    /// The reply to `CreateSession`.
    SessionCreated = 0x0102 {
        session: SessionId,
    }
}
