//! `F_SETLEASE` and the signal that tells of a lease being broken.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::checked;

/// As in `asm-generic/fcntl.h`; the same on all architectures Rust has a Linux target for but
/// MIPS and SPARC, which are not served.
const F_SETSIG: libc::c_int = 10;

fn fcntl(fd: impl AsFd, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the commands used here take an integer, and the descriptor is borrowed.
    let result = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, argument) };
    checked(result.into()).map(drop)
}

/// Asks for a write lease that nobody is told of when it is broken.
pub(crate) fn take(fd: impl AsFd) -> io::Result<()> {
    // A broken lease sends SIGIO, which ends the process by default; SIGURG is ignored by
    // default. It must be chosen first, since a newcomer may break the lease at once.
    fcntl(&fd, F_SETSIG, libc::SIGURG)?;
    fcntl(&fd, libc::F_SETLEASE, libc::F_WRLCK)
}

/// Whether a write lease is held and nobody waits for its end: the kernel tells what it is about to
/// become.
pub(crate) fn is_held(fd: impl AsFd) -> io::Result<bool> {
    // SAFETY: the command takes no argument, and the descriptor is borrowed.
    let kind = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETLEASE) };
    Ok(checked(kind.into())? == libc::F_WRLCK.into())
}

pub(crate) fn give_up(fd: impl AsFd) -> io::Result<()> {
    fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::ptr::null_mut;

    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    #[test]
    fn a_mapped_file_has_no_lease_even_after_the_descriptor_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mapped");
        std::fs::write(&path, [1; 4096]).unwrap();
        let mapped = std::fs::File::open(&path).unwrap();
        // SAFETY: the kernel picks a free address, and nothing keeps a reference into the map.
        let map =
            unsafe { mmap(null_mut(), 4096, ProtFlags::READ, MapFlags::SHARED, mapped.as_fd(), 0) };
        let map = map.unwrap();
        drop(mapped);
        let ours = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let refused = super::take(&ours).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
        // SAFETY: mapped above with this length, and no reference into it is left.
        unsafe { munmap(map, 4096) }.unwrap();
        super::take(&ours).unwrap();
        super::give_up(&ours).unwrap();
    }
}
