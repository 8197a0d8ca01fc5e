//! Moving data: copy, archive, release, restore, remove.
//!
//! Written against [`dray_io`] alone: no clock, thread, ring or system call of its own, so the
//! simulator runs it unchanged. `ARCHITECTURE.md` follows a byte through it.
#![forbid(unsafe_code)]

mod archive;
mod attribute;
mod bytes;
mod compare;
mod copy;
mod cores;
mod error;
mod feed;
mod manifest;
mod pace;
mod pipeline;
mod release;
mod remove;
mod restore;
mod standing;
mod steps;
mod tally;
mod walk;

pub use archive::{ArchiveOptions, PartJob, archive, archive_parts, begin_archive, finish_archive};
pub use attribute::{Attribute, Kept};
pub use copy::{Copied, CopyOptions, Side, copy};
pub use error::{Error, Result};
pub use feed::{Entry, Feed};
pub use pace::Pace;
pub use pipeline::{Lot, Pipeline, Place, Span, Tail, Work};
pub use release::release;
pub use remove::{RemoveOptions, remove};
pub use restore::{
    RestoreJob, RestoreOptions, RestorePlan, begin_restore, finish_restore, recall, restore,
    restore_parts,
};
pub use standing::{Standing, standing};
pub use steps::{ArchiveStamp, Begun, Done, RestoreStamp, decode_parts, encode_parts};
pub use tally::{Latency, Run, Tally, Watch};
pub use walk::Walk;
