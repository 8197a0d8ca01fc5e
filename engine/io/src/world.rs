//! Where the engine runs.

use std::io;

use crate::files::Files;
use crate::ring::Ring;

/// Files, the threads that call them, and the cores that move data.
///
/// The kernel's world runs jobs on many threads at once; the simulated one runs them one after
/// the other. So a job must never wait for another: each takes work from a shared list until
/// there is none left.
pub trait World: Sync {
    type File: Send + Sync;
    type Files: Files<File = Self::File>;
    type Ring: Ring<File = Self::File>;

    fn files(&self) -> &Self::Files;

    /// Nanoseconds on a clock that only goes forward, for measuring. Zero in the simulator.
    fn ticks(&self) -> u64 {
        0
    }

    /// How many hands [`hands`](Self::hands) has.
    fn hand_count(&self) -> usize;
    /// How many cores [`cores`](Self::cores) has.
    fn core_count(&self) -> usize;

    /// Runs `job` once per hand, a thread for blocking calls; returns when all have returned.
    fn hands(&self, job: &(dyn Fn(usize) + Sync));

    /// Runs `job` once per core, on a thread pinned to it that owns a ring; returns when all have
    /// returned. An error means that no ring could be had and `job` was not run.
    fn cores(&self, job: &(dyn Fn(usize, &mut Self::Ring) + Sync)) -> io::Result<()>;

    /// Runs `main`, and `side` on a thread beside it or after it; returns when both have returned.
    /// So `side` may wait for `main`, but not the other way round.
    fn beside(&self, main: &mut dyn FnMut(), side: &mut (dyn FnMut() + Send)) {
        main();
        side();
    }
}
