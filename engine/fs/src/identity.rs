//! Which file system a file is on, by a name that outlives the mount.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use rustix::fs::OFlags;
use zerocopy::IntoBytes;

use crate::access::open_path;
use crate::ffi::ioctl::file_system_uuid;
use crate::file::LinuxFile;
use crate::handle::Decoded;

/// Mounts remembered. More than a node manages; when it is full the oldest goes.
const REMEMBERED: usize = 64;

/// Where a file is at the moment. The device alone would not do: after an unmount its number may
/// stand for another file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: u64,
    pub(crate) mount: u64,
}

/// Identities found so far, so that the steady state makes no system call for them.
#[derive(Debug, Default)]
pub(crate) struct Identities(RwLock<Vec<(Place, [u8; 16])>>);

impl Identities {
    pub(crate) fn of(
        &self,
        file: &LinuxFile,
        place: Place,
        decoded: &Decoded,
    ) -> io::Result<[u8; 16]> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, identity)) = known.iter().find(|(known, _)| *known == place) {
            return Ok(*identity);
        }
        drop(known);
        let (mut identity, lasting) = find(file, decoded)?;
        if let Some(subvolume) = decoded.subvolume {
            mix(&mut identity, subvolume);
        }
        if lasting {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED {
                known.remove(0);
            }
            known.push((place, identity));
        }
        Ok(identity)
    }
}

/// Snapshots of btrfs repeat inode and generation under the same UUID; only the subvolume tells
/// them apart. The top-level one (5) keeps the plain UUID.
fn mix(identity: &mut [u8; 16], subvolume: [u32; 2]) {
    const TOP_LEVEL: u64 = 5;
    let top = TOP_LEVEL.as_bytes();
    let (own, tail) = (subvolume.as_bytes(), &mut identity[8..]);
    for ((byte, own), top) in tail.iter_mut().zip(own).zip(top) {
        *byte ^= own ^ top;
    }
}

/// The identity, and whether it holds for other files of the mount too.
fn find(file: &LinuxFile, decoded: &Decoded) -> io::Result<([u8; 16], bool)> {
    if !file.path_only {
        return Ok((uuid_or_fsid(file)?, true));
    }
    // An `O_PATH` descriptor takes no ioctl, and of a link or device no other can be had: ask at
    // the mount point, so that the answer is the same as for the files beside it.
    match decoded.mount.and_then(mount_point) {
        Some(root) => Ok((uuid_or_fsid(root)?, true)),
        None => Ok((fsid(file)?, false)),
    }
}

fn uuid_or_fsid(fd: impl std::os::fd::AsFd) -> io::Result<[u8; 16]> {
    match file_system_uuid(&fd) {
        // A file system made without a UUID gives zeros.
        Ok(uuid) if uuid != [0; 16] => Ok(uuid),
        _ => fsid(fd),
    }
}

/// `f_fsid`, zero padded.
fn fsid(fd: impl std::os::fd::AsFd) -> io::Result<[u8; 16]> {
    let id = rustix::fs::fstatvfs(fd)?.f_fsid;
    let mut identity = [0; 16];
    identity[..8].copy_from_slice(&id.to_le_bytes());
    Ok(identity)
}

/// The root of mount `id`, opened for reading.
pub(crate) fn mount_point(id: i32) -> Option<OwnedFd> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let id = id.to_string();
    let line = table
        .split(|byte| *byte == b'\n')
        .find(|line| line.split(|byte| *byte == b' ').next() == Some(id.as_bytes()))?;
    let path = unescape(line.split(|byte| *byte == b' ').nth(4)?);
    let fd = open_path(&path, OFlags::RDONLY | OFlags::NONBLOCK, 0).ok()?;
    // Another mount may lie on top of it.
    let (_, mount) = crate::ffi::handle::name_to_handle(&fd).ok()?;
    (mount.to_string() == id).then_some(fd)
}

/// Blanks and backslashes come as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                rest = &after[3..];
            }
            None => {
                path.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_blanks_are_read_back() {
        assert_eq!(unescape(br"/a\040b\134c"), PathBuf::from(r"/a b\c"));
        assert_eq!(unescape(br"/a\0"), PathBuf::from(r"/a\0"));
    }

    #[test]
    fn only_the_top_level_of_btrfs_keeps_the_uuid() {
        let top = |subvolume: u64| {
            let mut words = [0_u32; 2];
            words.as_mut_bytes().copy_from_slice(subvolume.as_bytes());
            let mut identity = [7; 16];
            mix(&mut identity, words);
            identity
        };
        assert_eq!(top(5), [7; 16]);
        assert_ne!(top(256), top(257));
        assert_eq!(top(256)[..8], [7; 8]);
    }
}
