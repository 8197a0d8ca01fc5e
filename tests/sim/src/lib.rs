#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod change;
mod errors;
mod faults;
mod files;
mod handle;
mod image;
mod journal;
mod names;
mod options;
mod random;
mod ring;
mod sim;
mod state;
mod transfer;
mod tree;

pub use errors::{Crashed, is_crash};
pub use faults::{BadRange, Failure, Faults, Step, Way};
pub use handle::{SimDir, SimFile};
pub use options::Options;
pub use ring::SimRing;
pub use sim::Sim;
pub use tree::Tree;
