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

/// The same for a read lease, on a descriptor for reading only.
pub(crate) fn take_to_read(fd: impl AsFd) -> io::Result<()> {
    fcntl(&fd, F_SETSIG, libc::SIGURG)?;
    fcntl(&fd, libc::F_SETLEASE, libc::F_RDLCK)
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
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::ptr::null_mut;

    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    /// Whether read and write leases are granted while the file is mapped so, and closed.
    fn while_mapped(protection: ProtFlags) -> (bool, bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mapped");
        std::fs::write(&path, [1; 4096]).unwrap();
        let write = protection.contains(ProtFlags::WRITE);
        let mapped = File::options().read(true).write(write).open(&path).unwrap();
        // SAFETY: the kernel picks a free address, and nothing keeps a reference into the map.
        let map =
            unsafe { mmap(null_mut(), 4096, protection, MapFlags::SHARED, mapped.as_fd(), 0) };
        let map = map.unwrap();
        drop(mapped);
        let granted = |taken: std::io::Result<()>, file: &File| match taken {
            Ok(()) => super::give_up(file).map(|()| true).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                false
            }
        };
        let to_read = File::open(&path).unwrap();
        let reads = granted(super::take_to_read(&to_read), &to_read);
        drop(to_read);
        let ours = File::options().read(true).write(true).open(&path).unwrap();
        let writes = granted(super::take(&ours), &ours);
        // SAFETY: mapped above with this length, and no reference into it is left.
        unsafe { munmap(map, 4096) }.unwrap();
        assert!(granted(super::take(&ours), &ours));
        (reads, writes)
    }

    #[test]
    fn a_mapping_counts_after_the_descriptor_is_closed() {
        assert_eq!(while_mapped(ProtFlags::READ), (true, false));
        assert_eq!(while_mapped(ProtFlags::READ | ProtFlags::WRITE), (false, false));
    }
}
