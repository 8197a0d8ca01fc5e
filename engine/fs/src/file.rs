//! An open file.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An open file. Holds exactly one descriptor, since leases count descriptors.
#[derive(Debug)]
pub struct LinuxFile {
    pub(crate) fd: OwnedFd,
    /// Opened with `O_PATH`: names the file, but the kernel does no I/O through it.
    pub(crate) path_only: bool,
    pub(crate) direct: bool,
    pub(crate) invisible: bool,
}

impl LinuxFile {
    /// A file that was opened elsewhere, through the page cache.
    pub fn adopt(fd: OwnedFd) -> Self {
        Self { fd, path_only: false, direct: false, invisible: false }
    }

    /// Reads, writes and punches leave the times of the file alone.
    pub fn is_invisible(&self) -> bool {
        self.invisible
    }

    /// Transfers go past the page cache, so offsets and lengths must be whole blocks.
    pub fn is_direct(&self) -> bool {
        self.direct
    }
}

impl AsFd for LinuxFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for LinuxFile {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
