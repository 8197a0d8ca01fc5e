//! XFS descriptors whose I/O leaves the times alone.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;

use rustix::fs::OFlags;
use rustix::ioctl::opcode;

use super::{checked, checked_fd};

const XFS_IOC_FD_TO_HANDLE: u64 = opcode::read_write::<HandleRequest>(b'X', 106) as u64;
const XFS_IOC_OPEN_BY_HANDLE: u64 = opcode::read_write::<HandleRequest>(b'X', 107) as u64;

/// Bytes of `xfs_handle_t`: file system id 8, length 2, pad 2, generation 4, inode 8.
const XFS_HANDLE_BYTES: usize = 24;

/// `struct xfs_fsop_handlereq`.
#[repr(C)]
struct HandleRequest {
    fd: u32,
    path: *mut c_void,
    oflags: u32,
    ihandle: *mut c_void,
    ihandlen: u32,
    ohandle: *mut c_void,
    ohandlen: *mut u32,
}

/// Opens `file` once more, with `O_NOATIME` and without updates of mtime and ctime, through the
/// mount of `directory`. Needs `CAP_SYS_ADMIN`; both must be on the same XFS.
pub(crate) fn open_invisible(
    directory: impl AsFd,
    file: impl AsFd,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let (directory, fd) = (directory.as_fd().as_raw_fd(), file.as_fd().as_raw_fd());
    let mut handle = [0_u64; XFS_HANDLE_BYTES / 8];
    let mut handle_bytes = XFS_HANDLE_BYTES as u32;
    let mut request = HandleRequest {
        fd: fd.cast_unsigned(),
        path: null_mut(),
        oflags: 0,
        ihandle: null_mut(),
        ihandlen: 0,
        ohandle: handle.as_mut_ptr().cast(),
        ohandlen: &raw mut handle_bytes,
    };
    // SAFETY: the request and both of its outputs are live, and the handle of a file takes
    // `XFS_HANDLE_BYTES`.
    let result = unsafe { libc::ioctl(directory, XFS_IOC_FD_TO_HANDLE as _, &raw mut request) };
    checked(result.into())?;
    request.oflags = flags.bits();
    request.ihandle = handle.as_mut_ptr().cast();
    request.ihandlen = handle_bytes;
    // SAFETY: as above; the input handle is the one just filled in, `handle_bytes` long.
    let result = unsafe { libc::ioctl(directory, XFS_IOC_OPEN_BY_HANDLE as _, &raw mut request) };
    let opened = checked_fd(result.into())?;
    // SAFETY: the call succeeded, so `opened` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}
