//! How files are opened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use dray_io::Access;
use dray_io::limits::BLOCK;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, statx};
use rustix::io::Errno;

use crate::file::LinuxFile;
use crate::invisible;
use crate::permit;
use crate::watch::Silence;

/// Mode of a new file: the owner's alone, until the metadata is put on it.
pub(crate) const NEW_FILE_MODE: u32 = 0o600;

const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);

/// Opens a path that holds no symbolic link. An `O_PATH` descriptor of a link itself can be had.
pub(crate) fn open_path(path: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
    // `openat2` refuses flags that mean nothing beside `O_PATH`.
    let no_terminal = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NOCTTY };
    let (flags, mode) = (flags | ALWAYS | no_terminal, Mode::from_raw_mode(mode));
    match rustix::fs::openat2(CWD, path, flags, mode, ResolveFlags::NO_SYMLINKS) {
        // Before Linux 5.6, or kept from us by a sandbox: only the last component is guarded.
        Err(Errno::NOSYS) => Ok(rustix::fs::openat(CWD, path, flags, mode)?),
        result => Ok(result?),
    }
}

/// A directory, to name entries in it.
pub(crate) fn open_parent(path: &Path) -> io::Result<(OwnedFd, &std::ffi::OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((open_path(parent(path), OFlags::PATH | OFlags::DIRECTORY, 0)?, name))
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// One way to come to a descriptor: by path or by handle, with the flags given.
pub(crate) type Opener<'a> = dyn Fn(OFlags) -> io::Result<OwnedFd> + 'a;

/// Opens as `access` wants it. `directory`, given if the process is privileged, finds a directory
/// of the same file system, for XFS to open by handle from.
pub(crate) fn open(
    opener: &Opener<'_>,
    access: Access,
    directory: Option<&invisible::Directory<'_>>,
) -> io::Result<LinuxFile> {
    match access {
        Access::Inspect => {
            let fd = opener(OFlags::PATH)?;
            Ok(LinuxFile { fd, path_only: true, direct: false, invisible: false })
        }
        Access::Look => {
            let fd = quiet(opener, OFlags::RDONLY)?;
            Ok(LinuxFile { fd, path_only: false, direct: false, invisible: false })
        }
        Access::ReadDirect => {
            let file = settle(quiet(opener, OFlags::RDONLY)?, true)?;
            if !file.direct {
                flush_mapped(&file)?;
            }
            Ok(file)
        }
        Access::Write => settle(open_writable(opener)?, false),
        Access::WriteDirect => settle(open_writable(opener)?, true),
        Access::Invisible => {
            let hidden = match directory {
                Some(directory) => invisible::open(opener, directory)?,
                None => None,
            };
            hidden.map_or_else(|| settle(open_writable(opener)?, false), Ok)
        }
    }
}

/// Opens so that nobody is asked about what is read and written. The descriptor it is made from is
/// closed: with two of them no lease would be granted.
pub(crate) fn open_silent(opener: &Opener<'_>, keeper: &dyn Silence) -> io::Result<LinuxFile> {
    let seen = quiet(opener, OFlags::RDONLY)?;
    let fd = keeper.silence(seen.as_fd())?;
    drop(seen);
    rustix::fs::fcntl_setfl(&fd, OFlags::NOATIME)?;
    settle(fd, false)
}

fn open_writable(opener: &Opener<'_>) -> io::Result<OwnedFd> {
    match quiet(opener, OFlags::RDWR) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            permit::open_writable(opener, error)
        }
        result => result,
    }
}

/// Opens without moving the access time where that may be asked for, and without waiting: not for
/// the other end of a fifo, and not for the holder of a lease, who may be ourselves.
pub(crate) fn quiet(opener: &Opener<'_>, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NONBLOCK;
    match opener(flags | OFlags::NOATIME) {
        // Only the owner and root may keep the access time from moving.
        Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => opener(flags),
        result => result,
    }
}

/// Sets direct I/O if it is wanted and can be had, and takes `O_NONBLOCK` off, with which a ring
/// would hand `EAGAIN` back. Setting it here rather than at open costs no further call, and leaves
/// no half-made file behind where there is no direct I/O.
pub(crate) fn settle(fd: OwnedFd, want_direct: bool) -> io::Result<LinuxFile> {
    let kept = rustix::fs::fcntl_getfl(&fd)? & OFlags::NOATIME;
    let direct = want_direct
        && takes_blocks(&fd)?
        && match rustix::fs::fcntl_setfl(&fd, kept | OFlags::DIRECT) {
            Err(Errno::INVAL) => false,
            result => result.map(|()| true)?,
        };
    if !direct {
        rustix::fs::fcntl_setfl(&fd, kept)?;
    }
    Ok(LinuxFile { fd, path_only: false, direct, invisible: false })
}

/// Whether direct I/O in whole blocks is what the file system says it does, or it does not say.
/// Some accept `O_DIRECT` and go through the page cache all the same: ext4 for a file whose data is
/// journalled or encrypted. A dirty mapped page then stays as it is.
fn takes_blocks(fd: &OwnedFd) -> io::Result<bool> {
    let is = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)?;
    let aligned = 1..=BLOCK as u32;
    Ok(is.stx_mask & StatxFlags::DIOALIGN.bits() == 0
        || aligned.contains(&is.stx_dio_mem_align) && aligned.contains(&is.stx_dio_offset_align))
}

/// What a direct read does by itself: dirty pages, mapped ones among them, are written back and
/// write-protected, so that a later store through a mapping faults and moves the times. Without
/// it a change could go by unseen between the copy and the comparison of the times.
fn flush_mapped(file: &LinuxFile) -> io::Result<()> {
    match rustix::fs::fdatasync(file) {
        // Fifos and the like have nothing to write back.
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

/// Turns direct I/O on, where it can be had, or off.
pub(crate) fn set_direct(file: &LinuxFile, direct: bool) -> io::Result<()> {
    let kept = rustix::fs::fcntl_getfl(&file.fd)? & OFlags::NOATIME;
    if !direct {
        return Ok(rustix::fs::fcntl_setfl(&file.fd, kept)?);
    }
    if !takes_blocks(&file.fd)? {
        return Ok(());
    }
    match rustix::fs::fcntl_setfl(&file.fd, kept | OFlags::DIRECT) {
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

pub(crate) fn create(path: &Path, direct: bool) -> io::Result<LinuxFile> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    settle(open_path(path, flags, NEW_FILE_MODE)?, direct)
}
