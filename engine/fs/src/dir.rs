//! Listing directories.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use dray_io::{DirEntry, Kind};
use rustix::fs::{FileType, OFlags, RawDir};
use rustix::io::Errno;

use crate::access::open_path;

/// Bytes asked of the kernel at once: some 1,500 names.
const LISTING_BYTES: usize = 64 * 1024;

/// A directory being listed.
#[derive(Debug)]
pub struct LinuxDir {
    fd: OwnedFd,
    buffer: Vec<MaybeUninit<u8>>,
    /// Entries the kernel gave beyond what was asked for.
    left: VecDeque<DirEntry>,
}

impl LinuxDir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match open_path(path, flags | OFlags::NOATIME, 0) {
            Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                open_path(path, flags, 0)?
            }
            result => result?,
        };
        Ok(Self { fd, buffer: vec![MaybeUninit::uninit(); LISTING_BYTES], left: VecDeque::new() })
    }

    pub(crate) fn next(&mut self, max: usize, out: &mut Vec<DirEntry>) -> io::Result<()> {
        let mut wanted = max;
        while wanted > 0 {
            if self.left.is_empty() && !self.fill()? {
                return Ok(());
            }
            let taken = wanted.min(self.left.len());
            out.extend(self.left.drain(..taken));
            wanted -= taken;
        }
        Ok(())
    }

    /// Reads one buffer of names; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut listing = RawDir::new(&self.fd, &mut self.buffer);
        loop {
            match listing.next() {
                // Removed while it was listed: nothing is left in it.
                None | Some(Err(Errno::NOENT)) => return Ok(!self.left.is_empty()),
                Some(Err(Errno::INTR)) => {}
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(entry)) => {
                    let name = entry.file_name().to_bytes();
                    if name != b"." && name != b".." {
                        self.left.push_back(DirEntry {
                            name: OsStr::from_bytes(name).to_owned(),
                            inode: entry.ino(),
                            kind: kind_of(entry.file_type()),
                        });
                    }
                    if listing.is_buffer_empty() && !self.left.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// `None` for what is not known.
pub(crate) fn kind_of(kind: FileType) -> Option<Kind> {
    Some(match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Unknown => return None,
    })
}
