//! `Events`.

use crate::codec::{Bytes, List, Zeros};
use crate::enums::EventType;
use crate::ids::{FileHandle, Token};
use crate::limits::{EVENT_DATA_MAX, PAGE_MAX};
use crate::macros::{message, record};

message! {
    /// Events of a session.
    Events = 0x0207 {
        events: List<Event, PAGE_MAX>,
    }
}

record! {
    /// An event as its session gets it.
    Event {
        /// None for an asynchronous event.
        token: Token,
        event: EventType,
        reserved: Zeros<3>,
        source: u32,
        handle: FileHandle,
        offset: u64,
        length: u64,
        data: Bytes<EVENT_DATA_MAX>,
    }
}
