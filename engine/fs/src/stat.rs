//! What is known of a file: one `statx` and one `name_to_handle_at`, whatever it is and however it
//! was opened.

use std::io;

use dray_io::{Handle, Stat, Time};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, makedev, statx};

use crate::dir::kind_of;
use crate::file::LinuxFile;
use crate::handle::Decoded;
use crate::identity::{Identities, Place};

/// `STATX_MNT_ID_UNIQUE` (6.8): the id of a mount, never used again. Older kernels ignore it.
const MOUNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

const WANTED: StatxFlags = StatxFlags::BASIC_STATS
    .union(StatxFlags::BTIME)
    .union(StatxFlags::MNT_ID)
    .union(MOUNT_ID_UNIQUE);

pub(crate) fn stat(file: &LinuxFile, identities: &Identities) -> io::Result<Stat> {
    let is = statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?;
    let decoded = Decoded::of(file)?;
    let place = Place { device: makedev(is.stx_dev_major, is.stx_dev_minor), mount: is.stx_mnt_id };
    let handle = Handle {
        file_system: identities.of(file, place, &decoded)?,
        inode: is.stx_ino,
        generation: decoded.generation,
    };
    described(&is, handle)
}

/// As [`stat`], when the handle is known.
pub(crate) fn restat(file: &LinuxFile, handle: Handle) -> io::Result<Stat> {
    described(&statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?, handle)
}

fn described(is: &Statx, handle: Handle) -> io::Result<Stat> {
    let kind = kind_of(FileType::from_raw_mode(is.stx_mode.into()))
        .ok_or_else(|| io::Error::other("a file of no known kind"))?;
    Ok(Stat {
        kind,
        handle,
        mode: u32::from(is.stx_mode) & 0o7777,
        uid: is.stx_uid,
        gid: is.stx_gid,
        links: is.stx_nlink,
        size: is.stx_size,
        // Counted in units of 512 bytes, whatever the block size is.
        allocated: is.stx_blocks * 512,
        rdev: makedev(is.stx_rdev_major, is.stx_rdev_minor),
        accessed: time(is.stx_atime),
        modified: time(is.stx_mtime),
        changed: time(is.stx_ctime),
        born: time(is.stx_btime),
    })
}

fn time(stamp: StatxTimestamp) -> Time {
    Time { seconds: stamp.tv_sec, nanos: stamp.tv_nsec }
}
