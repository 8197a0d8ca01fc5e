//! `Refused`.

use crate::codec::{Text, Zeros};
use crate::enums::Reason;
use crate::macros::message;

message! {
    /// The reply to what cannot be done.
    Refused = 0x0003 {
        reason: Reason,
        reserved: Zeros<2>,
        /// 0: waiting does not help.
        retry_after_ms: u32,
        /// The session, token, request, order or kind that it is about.
        about: u64,
        text: Text,
    }
}
