//! Load on block devices and files through the product's ring: how much they do, and how long each
//! request takes.
#![forbid(unsafe_code)]

mod clock;
mod convert;
mod core;
mod error;
mod gather;
mod modes;
mod options;
mod pace;
mod permute;
mod phase;
mod plan;
mod rules;
mod run;
mod session;
mod sizes;
mod source;
mod steady;
mod summary;
mod tally;
mod target;
mod usage;
mod verify;
mod work;

pub use error::{Error, Refusal};
pub use options::DeviceOptions;
pub use run::{resolve, run_device};
pub use sizes::parse_size;
pub use summary::Summary;
