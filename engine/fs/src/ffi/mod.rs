//! System calls that no safe wrapper offers. The only unsafe code of the crate.

pub(crate) mod data;
pub(crate) mod fanotify;
pub(crate) mod handle;
pub(crate) mod ioctl;
pub(crate) mod lease;
pub(crate) mod schedule;
pub(crate) mod xfs;

use std::io;

/// The result of a call in the style of C: -1 and `errno`, or a value.
fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`checked`], for a call that makes a descriptor.
fn checked_fd(result: libc::c_long) -> io::Result<libc::c_int> {
    libc::c_int::try_from(checked(result)?).map_err(io::Error::other)
}
