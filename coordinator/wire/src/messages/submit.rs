//! `Submit`.

use crate::codec::{List, Name, Zeros};
use crate::enums::{Class, Verb};
use crate::ids::{FileHandle, SessionId};
use crate::limits::ITEMS_MAX;
use crate::macros::{message, record};

message! {
    /// Asks for movements of files, all of one kind.
    Submit = 0x0401 {
        session: SessionId,
        tenant: u32,
        class: Class,
        verb: Verb,
        /// [`ACCEPT_CONTENT`], [`SILENT`], [`READ_NEXT`].
        flags: u16,
        /// 0: none.
        deadline_ms: u32,
        reserved: Zeros<4>,
        items: List<Item, ITEMS_MAX>,
    }
}

/// Take what is on disk for the content (remove).
pub const ACCEPT_CONTENT: u16 = 1;
/// Push no outcomes.
pub const SILENT: u16 = 2;
/// Somebody is about to read what is restored: it may stay in memory, too.
pub const READ_NEXT: u16 = 4;

record! {
    /// A file to be moved.
    Item {
        handle: FileHandle,
        /// Bytes.
        size: u64,
        /// The LUN or volume that the data is on.
        lun: u64,
        /// Byte on it.
        place: u64,
        /// First byte to restore.
        offset: u64,
        /// Bytes to restore; 0 for all.
        length: u64,
        /// [`KIND_FILE`] and the like.
        kind: u8,
        reserved: Zeros<1>,
        name: Name,
    }
}

pub const KIND_FILE: u8 = 1;
pub const KIND_DIRECTORY: u8 = 2;
pub const KIND_SYMLINK: u8 = 3;
pub const KIND_OTHER: u8 = 4;
/// Another name of a file that is in the archive under its first: only the name is recorded.
pub const KIND_LINK: u8 = 5;
