//! `ShowRequest`.

use crate::ids::RequestId;
use crate::macros::message;

message! {
    /// Asks how a request stands.
    ShowRequest = 0x0408 {
        request: RequestId,
    }
}
