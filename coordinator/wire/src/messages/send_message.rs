//! `SendMessage`.

use crate::codec::{Bytes, Zeros};
use crate::ids::SessionId;
use crate::limits::EVENT_DATA_MAX;
use crate::macros::message;

message! {
    /// Sends a user event to a session.
    SendMessage = 0x020d {
        session: SessionId,
        /// 1: reply when it is responded to.
        wait: u8,
        reserved: Zeros<7>,
        data: Bytes<EVENT_DATA_MAX>,
    }
}
