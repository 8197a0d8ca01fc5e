//! `sync_file_range`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::checked;

/// Starts writing all dirty pages of a file that are not being written yet. Does not wait for
/// their end, but may wait for room in the queue of the device.
pub(crate) fn start_flush(fd: impl AsFd) -> io::Result<()> {
    let (from, to_the_end) = (0, 0);
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the call takes integers, and the descriptor is borrowed.
    let result =
        unsafe { libc::sync_file_range(fd, from, to_the_end, libc::SYNC_FILE_RANGE_WRITE) };
    checked(result.into()).map(drop)
}
