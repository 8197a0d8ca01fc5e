//! `Dispositions`.

use crate::codec::{List, Zeros};
use crate::limits::FILE_SYSTEMS_MAX;
use crate::macros::{message, record};

message! {
    /// What a session gets.
    Dispositions = 0x0203 {
        dispositions: List<Disposition, FILE_SYSTEMS_MAX>,
    }
}

record! {
    /// The events of a file system that go to a session.
    Disposition {
        file_system: [u8; 16],
        events: u32,
        reserved: Zeros<4>,
    }
}
