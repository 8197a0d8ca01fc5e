//! `sched_setscheduler(2)`.

use std::io;

use super::checked;

/// Has the calling thread, and those it starts from now on, run before all threads that are not of
/// real time, at the lowest of the real-time priorities.
pub(crate) fn real_time() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads the structure, which outlives it; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &lowest) };
    checked(result.into()).map(drop)
}
