//! What the engine is written against: files, rings, buffers, extents, checksums.
//!
//! No system call is made here. Two worlds implement these traits: the kernel (`dray-fs`,
//! `dray-ring`, joined in `dray-node`) and the simulator (`dray-sim`). The mover and the archive
//! run on both unchanged.
#![forbid(unsafe_code)]

mod buffer;
mod extent;
mod fault;
mod files;
pub mod limits;
mod ring;
mod stat;
pub mod sum;
mod time;
mod world;

pub use buffer::Aligned;
pub use extent::{Range, RangeSet, blocks_up};
pub use fault::{Context, EIO, Fault, Operation};
pub use files::{Access, DirEntry, Files};
pub use ring::{Completion, Fixed, Flush, PacedRing, Ring, RingCounters, Slot};
pub use stat::{Handle, Kind, Stat};
pub use time::{PackedTime, Time};
pub use world::World;
