//! Moving data: copy, archive, release, restore, remove.
//!
//! Written against [`dray_io`] alone: no clock, thread, ring or system call of its own, so the
//! simulator runs it unchanged. `ARCHITECTURE.md` follows a byte through it.
#![forbid(unsafe_code)]

mod archive;
mod attribute;
mod compare;
mod copy;
mod cores;
mod error;
mod feed;
mod manifest;
mod pipeline;
mod release;
mod remove;
mod restore;
mod standing;
mod tally;
mod walk;

pub use archive::{ArchiveOptions, archive};
pub use attribute::{Attribute, Kept};
pub use copy::{Copied, CopyOptions, Side, copy};
pub use error::{Error, Result};
pub use feed::{Entry, Feed};
pub use pipeline::{Lot, Pipeline, Place, Span, Tail, Work};
pub use release::release;
pub use remove::{RemoveOptions, remove};
pub use restore::{RestoreOptions, restore};
pub use standing::{Standing, standing};
pub use tally::{Latency, Run, Tally, Watch};
pub use walk::Walk;
