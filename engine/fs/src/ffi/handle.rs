//! `name_to_handle_at` and `open_by_handle_at`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;

use super::{checked, checked_fd};

/// `MAX_HANDLE_SZ`, in words of 32 bits.
pub(crate) const HANDLE_WORDS: usize = 32;

/// `struct file_handle` with room for the largest. Kept in words because every kernel encoding is
/// made of them, so that fields are read in the host's order without conversion.
#[derive(Debug, Clone)]
#[repr(C)]
pub(crate) struct RawHandle {
    pub(crate) bytes: u32,
    pub(crate) kind: i32,
    pub(crate) words: [u32; HANDLE_WORDS],
}

/// The handle of an open file, `O_PATH` or not, and the id of the mount it was opened through.
pub(crate) fn name_to_handle(fd: impl AsFd) -> io::Result<(RawHandle, i32)> {
    let mut handle =
        RawHandle { bytes: HANDLE_WORDS as u32 * 4, kind: 0, words: [0; HANDLE_WORDS] };
    let mut mount: libc::c_int = 0;
    // SAFETY: `handle` and `mount` are live and writable, `handle.bytes` says how much room there
    // is, and the path is an empty C string.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            fd.as_fd().as_raw_fd(),
            c"".as_ptr(),
            &raw mut handle,
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    checked(result)?;
    Ok((handle, mount))
}

/// Opens the file that `handle` names on the file system of `mount`.
pub(crate) fn open_by_handle(
    mount: impl AsFd,
    handle: &RawHandle,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let flags = libc::c_int::try_from(flags.bits()).map_err(io::Error::other)?;
    // SAFETY: `handle` is live, and `handle.bytes` is within its array by construction.
    let result = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_fd().as_raw_fd(),
            std::ptr::from_ref(handle),
            flags,
        )
    };
    let fd = checked_fd(result)?;
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
