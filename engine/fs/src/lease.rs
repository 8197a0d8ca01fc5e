//! Leases and locks.

use std::io;

use rustix::fs::{FlockOperation, flock};

use crate::ffi;
use crate::file::LinuxFile;

pub(crate) fn take(file: &LinuxFile) -> io::Result<()> {
    ffi::lease::take(file)
}

pub(crate) fn has(file: &LinuxFile) -> io::Result<()> {
    if ffi::lease::is_held(file)? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

pub(crate) fn give_up(file: &LinuxFile) -> io::Result<()> {
    ffi::lease::give_up(file)
}

pub(crate) fn lock(file: &LinuxFile) -> io::Result<()> {
    Ok(flock(file, FlockOperation::NonBlockingLockExclusive)?)
}
