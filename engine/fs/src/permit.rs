//! Writing to one's own file that its mode keeps from being written.
//!
//! Releasing and restoring a file of mode 0444 is not a change its owner made, so the mode must not
//! stop it; but without privilege the kernel asks for write permission to open a file for writing
//! and to set `user.*` attributes. The owner may grant it to himself for that moment.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, chmodat, statx};
use rustix::process::{getegid, geteuid, getgroups};

use crate::access::Opener;
use crate::xattr::descriptor_path;

const OWNER_MAY_WRITE: u32 = 0o200;
const SET_GROUP_ID: u32 = 0o2000;

/// Two threads that widen the mode of one file would put the wider one back.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Opens for writing after `refused`, the error without this help.
pub(crate) fn open_writable(opener: &Opener<'_>, refused: io::Error) -> io::Result<OwnedFd> {
    // Unlike one for reading, an `O_PATH` descriptor can be had whatever the mode is.
    let named = opener(OFlags::PATH)?;
    let flags = OFlags::RDWR | OFlags::NOATIME | OFlags::NONBLOCK | OFlags::CLOEXEC;
    as_owner(&named, refused, || {
        Ok(rustix::fs::open(descriptor_path(&named).as_str(), flags, Mode::empty())?)
    })
}

/// Runs `change` with write permission for the owner, or gives `refused` back if the caller is not
/// the owner or the mode was not what stood in the way.
pub(crate) fn as_owner<T>(
    fd: impl AsFd,
    refused: io::Error,
    change: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = StatxFlags::UID | StatxFlags::GID | StatxFlags::MODE | StatxFlags::TYPE;
    let is = statx(&fd, c"", AtFlags::EMPTY_PATH, wanted)?;
    let mode = u32::from(is.stx_mode) & 0o7777;
    let regular = u32::from(is.stx_mode) & libc::S_IFMT == libc::S_IFREG;
    let owned = is.stx_uid == geteuid().as_raw();
    if !regular || !owned || mode & OWNER_MAY_WRITE != 0 || loses_group_bit(mode, is.stx_gid)? {
        return Err(refused);
    }
    let path = descriptor_path(&fd);
    let set = |mode| chmodat(CWD, path.as_str(), Mode::from_raw_mode(mode), AtFlags::empty());
    set(mode | OWNER_MAY_WRITE)?;
    let result = change();
    set(mode)?;
    result
}

/// The kernel drops the set-group-ID bit when someone outside the group sets the mode, so it could
/// not be put back.
fn loses_group_bit(mode: u32, gid: u32) -> io::Result<bool> {
    if mode & SET_GROUP_ID == 0 || getegid().as_raw() == gid {
        return Ok(false);
    }
    Ok(!getgroups()?.iter().any(|group| group.as_raw() == gid))
}
