//! What is known of a file.

use crate::time::Time;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

/// A file, whatever its name: survives rename, not reuse of the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// UUID of the file system (`FS_IOC_GETFSUUID`), or its `f_fsid`, zero padded.
    pub file_system: [u8; 16],
    pub inode: u64,
    /// Changes when the inode number is used again.
    pub generation: u32,
}

/// Metadata of a file, taken in one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub kind: Kind,
    pub handle: Handle,
    /// Permission bits, 12 of them.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    /// Bytes.
    pub size: u64,
    /// Bytes on disk.
    pub allocated: u64,
    /// Device number of a device node, as `st_rdev`.
    pub rdev: u64,
    pub accessed: Time,
    pub modified: Time,
    pub changed: Time,
    pub born: Time,
}
