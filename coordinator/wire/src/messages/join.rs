//! `Join`.

use crate::codec::{List, Zeros};
use crate::limits::FILE_SYSTEMS_MAX;
use crate::macros::message;

message! {
    /// A node offers its service.
    Join = 0x0501 {
        cores: u16,
        reserved: Zeros<6>,
        /// That it reaches.
        file_systems: List<[u8; 16], FILE_SYSTEMS_MAX>,
    }
}
