//! The data path over the kernel: one io_uring per core, with its own registered memory.
//!
//! Where io_uring is not permitted, [`CoreRing`] moves data with plain reads and writes through
//! the same interface: slower, equally safe.
#![deny(unsafe_op_in_unsafe_fn)]

mod arena;
mod blocking;
mod core;
mod slots;
mod uring;
mod workers;

pub use self::arena::Arena;
pub use self::blocking::Blocking;
pub use self::core::{CoreRing, RingChoice, RingSetup};
pub use self::uring::Uring;
pub use self::workers::{WorkerRuns, worker_runs};
