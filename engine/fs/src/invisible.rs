//! Descriptors whose I/O moves no times, which XFS gives to those that open by handle.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fstat, fstatfs};
use rustix::io::FdFlags;

use crate::access::{Opener, quiet, settle};
use crate::ffi;
use crate::file::LinuxFile;

/// `XFS_SUPER_MAGIC`.
const XFS_MAGIC: u64 = 0x5846_5342;

/// Finds an open directory of the file system that the given file is on.
pub(crate) type Directory<'a> = dyn Fn(&OwnedFd) -> io::Result<OwnedFd> + 'a;

/// Opens invisibly, or `None` where that is not to be had. The descriptor it is made from is
/// closed: with two of them no lease would be granted.
pub(crate) fn open(
    opener: &Opener<'_>,
    directory: &Directory<'_>,
) -> io::Result<Option<LinuxFile>> {
    let visible = quiet(opener, OFlags::RDONLY)?;
    if u64::try_from(fstatfs(&visible)?.f_type).ok() != Some(XFS_MAGIC) {
        return Ok(None);
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK;
    let reopened =
        directory(&visible).and_then(|root| ffi::xfs::open_invisible(root, &visible, flags));
    let fd = match reopened {
        // Not a regular file, or capabilities that hold in a user name space only.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        result => result?,
    };
    // The kernel makes this descriptor without `O_CLOEXEC`, whatever the flags say.
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    // XFS takes the inode out of the handle and the file system from the directory, unchecked.
    // With a file mounted onto a name, that could be another file.
    let (wanted, got) = (fstat(&visible)?, fstat(&fd)?);
    if (wanted.st_dev, wanted.st_ino) != (got.st_dev, got.st_ino) {
        return Ok(None);
    }
    drop(visible);
    Ok(Some(LinuxFile { invisible: true, ..settle(fd, false)? }))
}
