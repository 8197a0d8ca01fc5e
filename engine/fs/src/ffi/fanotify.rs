//! `fanotify_init` and `fanotify_mark`; layouts and numbers of `linux/fanotify.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null;

use super::{checked, checked_fd};

/// With the range of the access: Linux 6.14.
pub(crate) const FAN_PRE_ACCESS: u64 = 0x0010_0000;
/// A file is about to be opened; the kernel has no size nor flags to tell of it.
pub(crate) const FAN_OPEN_PERM: u64 = libc::FAN_OPEN_PERM;
/// Record of an event that tells the range.
pub(crate) const FAN_EVENT_INFO_TYPE_RANGE: u8 = 6;
pub(crate) const FAN_ALLOW: u32 = libc::FAN_ALLOW;
pub(crate) const FAN_DENY: u32 = libc::FAN_DENY;
/// `FAN_DENY_ERRNO`: the error that the caller gets, above this bit.
pub(crate) const FAN_ERRNO_SHIFT: u32 = 24;

/// Which mark.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    /// Opening all files of a file system, and accesses to their data, through whatever mount.
    FileSystem,
    /// Accesses to the data of one file.
    File,
    /// Who opens or accesses one file is nobody's business, until the kernel forgets the inode.
    Ignored,
}

/// A group that asks before data is accessed. Its events come with descriptors of the files,
/// opened as `access` says, whose own accesses raise none.
pub(crate) fn init(access: libc::c_int) -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLASS_PRE_CONTENT
        | libc::FAN_CLOEXEC
        | libc::FAN_NONBLOCK
        | libc::FAN_UNLIMITED_QUEUE
        | libc::FAN_UNLIMITED_MARKS
        | libc::FAN_REPORT_TID;
    let opened = access | libc::O_LARGEFILE | libc::O_CLOEXEC;
    // SAFETY: both arguments are plain flags.
    let group = unsafe { libc::fanotify_init(flags, opened.cast_unsigned()) };
    let fd = checked_fd(group.into())?;
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a mark on the file behind `file`, or takes it away.
pub(crate) fn mark(group: impl AsFd, file: impl AsFd, mark: Mark, set: bool) -> io::Result<()> {
    let how = if set { libc::FAN_MARK_ADD } else { libc::FAN_MARK_REMOVE };
    let what = match mark {
        Mark::FileSystem => libc::FAN_MARK_FILESYSTEM,
        Mark::File => libc::FAN_MARK_INODE,
        Mark::Ignored if set => {
            libc::FAN_MARK_INODE
                | FAN_MARK_IGNORE
                | libc::FAN_MARK_IGNORED_SURV_MODIFY
                | FAN_MARK_EVICTABLE
        }
        Mark::Ignored => libc::FAN_MARK_INODE | FAN_MARK_IGNORE,
    };
    let events = match mark {
        Mark::File => FAN_PRE_ACCESS,
        Mark::FileSystem | Mark::Ignored => FAN_PRE_ACCESS | FAN_OPEN_PERM,
    };
    let (group, file) = (group.as_fd().as_raw_fd(), file.as_fd().as_raw_fd());
    // SAFETY: with no path the mark goes onto what the borrowed descriptor names.
    let marked = unsafe { libc::fanotify_mark(group, how | what, events, file, null()) };
    checked(marked.into()).map(drop)
}

const FAN_MARK_EVICTABLE: u32 = 0x0000_0200;
const FAN_MARK_IGNORE: u32 = 0x0000_0400;

/// Takes over a descriptor that came with an event.
pub(crate) fn own(fd: i32) -> OwnedFd {
    // SAFETY: the kernel made it for whoever read the event, which is read once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
