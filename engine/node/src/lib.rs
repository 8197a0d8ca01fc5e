//! The machine as a world for the engine: its files, its threads, its cores.
#![forbid(unsafe_code)]

mod extract;
mod machine;

pub use dray_ring::{RingChoice, RingSetup};
pub use extract::{Extracted, Extraction};
pub use machine::{Machine, MachineOptions};
