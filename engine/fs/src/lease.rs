//! Leases and locks.

use std::io;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::ffi;
use crate::file::LinuxFile;

/// For a newcomer whom a lease has kept waiting, on a busy machine, to be given a processor.
const NEWCOMER: Duration = Duration::from_millis(100);
/// Between two looks whether he is done.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) fn take(file: &LinuxFile) -> io::Result<()> {
    ffi::lease::take(file)
}

pub(crate) fn has(file: &LinuxFile) -> io::Result<()> {
    if ffi::lease::is_held(file)? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

pub(crate) fn give_up(file: &LinuxFile) -> io::Result<()> {
    ffi::lease::give_up(file)
}

/// A read lease is granted only if nobody has the file open for writing; it is given back at once.
pub(crate) fn has_writer(file: &LinuxFile) -> io::Result<bool> {
    match ffi::lease::take_to_read(file) {
        Ok(()) => give_up(file).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        // Somebody else's file, or a file system without leases.
        Err(_) => Ok(false),
    }
}

/// Waits until nobody else has the file open or is about to cut it, but not for long: he may keep
/// it open. Who has begun to cut it by its name counts as a writer from before he waits for a
/// lease, so that none is granted.
pub(crate) fn let_through(file: &LinuxFile) {
    let until = Instant::now() + NEWCOMER;
    while Instant::now() < until {
        if take(file).is_ok() {
            let _ = give_up(file);
            return;
        }
        std::thread::sleep(LOOK);
    }
}

pub(crate) fn lock(file: &LinuxFile) -> io::Result<()> {
    Ok(flock(file, FlockOperation::NonBlockingLockExclusive)?)
}
