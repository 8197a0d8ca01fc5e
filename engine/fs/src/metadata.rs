//! Making files again as they were: nodes, owners, modes, attributes, times.

use std::io;
use std::path::Path;

use dray_io::{Access, Files, Kind, Time};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Timestamps, Uid, chmodat, chownat, linkat, mkdirat, mknodat,
    symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::access::{NEW_FILE_MODE, open_parent};
use crate::file::LinuxFile;
use crate::files::{LinuxFiles, timespec};
use crate::xattr::{self, descriptor_path};

const NEW_DIRECTORY_MODE: u32 = 0o700;
const SET_ID_BITS: u32 = 0o6000;
const ACLS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

/// Something without data, to be made under a free name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node<'a> {
    Directory,
    Symlink(&'a [u8]),
    Fifo,
    Socket,
    /// With its device number.
    CharDevice(u64),
    BlockDevice(u64),
}

/// What a file is to have again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// Permission bits, 12 of them; symbolic links have none.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// ACLs among them. One that the file inherited and that is not here is taken off.
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
    pub accessed: Time,
    pub modified: Time,
}

/// What could not be put back without privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// The file belongs to someone else than before, and set-ID bits were left off.
    pub owner: bool,
    /// Names of attributes that were refused.
    pub xattrs: Vec<Vec<u8>>,
}

impl LinuxFiles {
    /// Makes a node, for the owner alone; `AlreadyExists` if the name is taken.
    pub fn make(&self, path: &Path, node: Node<'_>) -> io::Result<()> {
        let (dir, name) = open_parent(path)?;
        let new = |kind, rdev| mknodat(&dir, name, kind, Mode::from_raw_mode(NEW_FILE_MODE), rdev);
        Ok(match node {
            Node::Directory => mkdirat(&dir, name, Mode::from_raw_mode(NEW_DIRECTORY_MODE)),
            Node::Symlink(target) => symlinkat(target, &dir, name),
            Node::Fifo => new(FileType::Fifo, 0),
            Node::Socket => new(FileType::Socket, 0),
            Node::CharDevice(rdev) => new(FileType::CharacterDevice, rdev),
            Node::BlockDevice(rdev) => new(FileType::BlockDevice, rdev),
        }?)
    }

    /// Gives a file one more name; follows no symbolic link in either path.
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (open_parent(from)?, open_parent(to)?);
        Ok(linkat(from_dir, from, to_dir, to, AtFlags::empty())?)
    }

    /// As [`apply_to`](Self::apply_to), by path; never through a symbolic link.
    pub fn apply(&self, path: &Path, wanted: &Attributes<'_>) -> io::Result<Shortfall> {
        self.apply_to(&self.open(path, Access::Inspect)?, wanted)
    }

    /// Puts metadata on a file. Call it after the last write, and on a directory after the last
    /// entry was made in it.
    ///
    /// The order matters: a change of owner drops set-ID bits and file capabilities; attributes
    /// need write permission, which the mode may take; times come last, as all else moves them.
    pub fn apply_to(&self, file: &LinuxFile, wanted: &Attributes<'_>) -> io::Result<Shortfall> {
        let link = self.stat(file)?.kind == Kind::Symlink;
        let mut shortfall = Shortfall { owner: !own(file, wanted)?, ..Shortfall::default() };
        for (name, value) in wanted.xattrs {
            if refused(xattr::set(file, name, value))? {
                shortfall.xattrs.push(name.clone());
            }
        }
        if !link {
            drop_inherited_acls(file, wanted.xattrs)?;
            let kept = if shortfall.owner { wanted.mode & !SET_ID_BITS } else { wanted.mode };
            let mode = Mode::from_raw_mode(kept);
            chmodat(CWD, descriptor_path(file).as_str(), mode, AtFlags::empty())?;
        }
        let times = Timestamps {
            last_access: timespec(wanted.accessed),
            last_modification: timespec(wanted.modified),
        };
        utimensat(file, c"", &times, AtFlags::EMPTY_PATH)?;
        Ok(shortfall)
    }
}

/// Gives the file to its owner; false if that takes privilege the caller has not.
fn own(file: &LinuxFile, wanted: &Attributes<'_>) -> io::Result<bool> {
    let (uid, gid) = (Uid::from_raw(wanted.uid), Gid::from_raw(wanted.gid));
    match chownat(file, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH) {
        Err(Errno::PERM) if !rustix::process::geteuid().is_root() => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

fn drop_inherited_acls(file: &LinuxFile, wanted: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
    for name in xattr::names(file)? {
        if ACLS.contains(&name.as_slice()) && !wanted.iter().any(|(kept, _)| *kept == name) {
            xattr::remove(file, &name)?;
        }
    }
    Ok(())
}

/// Whether an attribute was refused for want of privilege, or because the file system has none of
/// its kind. Anything else is an error.
fn refused(result: io::Result<()>) -> io::Result<bool> {
    let Err(error) = result else {
        return Ok(false);
    };
    match Errno::from_io_error(&error) {
        Some(Errno::PERM | Errno::ACCESS) if !rustix::process::geteuid().is_root() => Ok(true),
        Some(Errno::OPNOTSUPP) => Ok(true),
        _ => Err(error),
    }
}
