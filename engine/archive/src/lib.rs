//! The archive tier: volumes that describe themselves. The format is `docs/volume.md`.
//!
//! Nothing here knows of sessions, rings or the managed file system; data reaches a volume through
//! [`dray_io::Files`] or, for large files, through a ring that the mover drives.
#![forbid(unsafe_code)]

mod archive;
pub mod catalog;
mod error;
mod index;
mod layout;
mod mark;
mod pack;
mod read;
mod record;
mod scan;
mod superblock;
mod verify;
mod volume;

pub use archive::{Archive, Location, Open, VolumePlace};
pub use error::{Error, Result};
pub use index::{IndexItem, items};
pub use layout::{ArchiveId, FIRST_SEGMENT, RECORD_MAX};
pub use mark::{Mark, SegmentKind};
pub use pack::{Pack, PieceIndex, records_segment};
pub use read::Stored;
pub use record::{Extent, FileRecord, GoneRecord, LinkRecord, PartRecord, PartRef, Record};
pub use scan::{Finding, Found, Scan, Segment};
pub use superblock::Superblock;
pub use verify::{Damage, VerifyReport, verify_volumes};
pub use volume::{Reservation, Volume};
