//! Kernel handles: what `name_to_handle_at` says of a file, and opening by it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use dray_io::{Access, Files, Handle};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use crate::access;
use crate::ffi::handle::{HANDLE_WORDS, RawHandle, name_to_handle, open_by_handle};
use crate::file::LinuxFile;
use crate::files::LinuxFiles;
use crate::identity::mount_point;

/// `FILEID_INO32_GEN` and the same with the parent's: ext4, and XFS with 32-bit inodes.
const INODE32: [i32; 2] = [0x1, 0x2];
/// XFS with 64-bit inodes, and FUSE.
const INODE64: [i32; 2] = [0x81, 0x82];
/// `FILEID_BTRFS_WITHOUT_PARENT` and the two with it.
const BTRFS: [i32; 3] = [0x4d, 0x4e, 0x4f];
/// Bytes of tmpfs's handle, which has the type of [`INODE32`] but puts the generation first.
const TMPFS_BYTES: u32 = 12;

/// A file on a file system known otherwise, as the kernel encodes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KernelHandle {
    /// `handle_type`.
    pub kind: i32,
    /// `f_handle`, at most 128 bytes.
    pub bytes: Vec<u8>,
}

impl KernelHandle {
    fn to_raw(&self) -> io::Result<RawHandle> {
        let mut words = [0; HANDLE_WORDS];
        let room = words.as_mut_bytes().get_mut(..self.bytes.len());
        room.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(&self.bytes);
        Ok(RawHandle { bytes: self.bytes.len() as u32, kind: self.kind, words })
    }
}

impl LinuxFiles {
    /// The kernel's handle of an open file.
    pub fn kernel_handle(&self, file: &LinuxFile) -> io::Result<KernelHandle> {
        let (raw, _mount) = name_to_handle(file)?;
        let bytes = raw.words.as_bytes()[..raw.bytes as usize].to_vec();
        Ok(KernelHandle { kind: raw.kind, bytes })
    }

    /// Opens a file by its kernel handle; `Stale` if it is gone. `mount` is any file of the same
    /// file system that was not opened by [`Access::Inspect`]. Needs `CAP_DAC_READ_SEARCH`.
    pub fn by_handle(
        &self,
        mount: &LinuxFile,
        handle: &KernelHandle,
        access: Access,
    ) -> io::Result<LinuxFile> {
        let raw = handle.to_raw()?;
        let opener = |flags| open_by_handle(mount, &raw, flags | rustix::fs::OFlags::CLOEXEC);
        let directory = |file: &_| {
            let (_, mount) = name_to_handle(file)?;
            mount_point(mount).ok_or_else(|| io::ErrorKind::PermissionDenied.into())
        };
        access::open(&opener, access, self.privileged.then_some(&directory as _))
    }
}

impl LinuxFiles {
    /// The path of a file that is known by its handle alone, as it is at the moment; `root` is any
    /// directory of its file system. `Stale` if it is gone. Needs `CAP_DAC_READ_SEARCH`.
    pub fn path_by_handle(&self, root: &Path, handle: Handle) -> io::Result<PathBuf> {
        let mount = self.open(root, Access::Look)?;
        let like = self.kernel_handle(&mount)?;
        let file = self.by_handle(&mount, &like.of_same_kind(handle)?, Access::Inspect)?;
        let opened = self.stat(&file)?.handle;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))?;
        // Where the kernel knows no name for it, what it gives leads elsewhere or nowhere.
        let named = self.open(&path, Access::Inspect).and_then(|named| self.stat(&named))?;
        if opened == handle && named.handle == handle { Ok(path) } else { Err(Errno::STALE.into()) }
    }
}

impl KernelHandle {
    /// The handle of another file of the same file system, encoded as this one is.
    fn of_same_kind(&self, handle: Handle) -> io::Result<Self> {
        let short = |inode: u64| u32::try_from(inode).map_err(|_| io::ErrorKind::Unsupported);
        let (inode, generation) = (handle.inode.to_le_bytes(), handle.generation.to_le_bytes());
        let mut bytes = self.bytes.clone();
        let (at, other): (usize, &[u8]) = match self.kind {
            kind if INODE32.contains(&kind) && bytes.len() != TMPFS_BYTES as usize => {
                // XFS takes the long form, too, and needs it for large numbers.
                match short(handle.inode) {
                    Ok(_) => (4, &inode[..4]),
                    Err(_) => {
                        let kind = INODE64[0];
                        return Ok(Self { kind, bytes: [&inode[..], &generation].concat() });
                    }
                }
            }
            kind if INODE64.contains(&kind) => (8, &inode),
            kind if BTRFS.contains(&kind) => (16, &inode),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let kind = match self.kind {
            kind if INODE32.contains(&kind) => INODE32[0],
            kind if INODE64.contains(&kind) => INODE64[0],
            _ => BTRFS[0],
        };
        bytes.truncate(at + 4);
        bytes.get_mut(..other.len()).ok_or(io::ErrorKind::Unsupported)?.copy_from_slice(other);
        bytes.get_mut(at..).ok_or(io::ErrorKind::Unsupported)?.copy_from_slice(&generation);
        Ok(Self { kind, bytes })
    }
}

/// What of a handle is of use to us.
pub(crate) struct Decoded {
    /// Zero where the file system has none or encodes it in a way not known here.
    pub(crate) generation: u32,
    /// The subvolume of a btrfs file, as the words of its id.
    pub(crate) subvolume: Option<[u32; 2]>,
    /// The mount the file was opened through, as `/proc/self/mountinfo` numbers it.
    pub(crate) mount: Option<i32>,
}

impl Decoded {
    pub(crate) fn of(file: &LinuxFile) -> io::Result<Self> {
        match name_to_handle(file) {
            Ok((raw, mount)) => Ok(Self { mount: Some(mount), ..Self::decode(&raw) }),
            Err(error) => match Errno::from_io_error(&error) {
                // No handles here (NFS, overlay), or none let through by a sandbox.
                Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::OVERFLOW) => {
                    Ok(Self { generation: 0, subvolume: None, mount: None })
                }
                _ => Err(error),
            },
        }
    }

    fn decode(raw: &RawHandle) -> Self {
        let word = |at: usize| if at * 4 < raw.bytes as usize { raw.words[at] } else { 0 };
        let (generation, subvolume) = match raw.kind {
            kind if INODE32.contains(&kind) && raw.bytes == TMPFS_BYTES => (word(0), None),
            kind if INODE32.contains(&kind) => (word(1), None),
            kind if INODE64.contains(&kind) => (word(2), None),
            kind if BTRFS.contains(&kind) => (word(4), Some([word(2), word(3)])),
            _ => (0, None),
        };
        Self { generation, subvolume, mount: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(kind: i32, words: &[u32]) -> u32 {
        let mut raw = RawHandle { bytes: words.len() as u32 * 4, kind, words: [0; HANDLE_WORDS] };
        raw.words[..words.len()].copy_from_slice(words);
        Decoded::decode(&raw).generation
    }

    #[test]
    fn generations_are_found_in_every_encoding() {
        assert_eq!(generation(0x1, &[12, 99]), 99);
        assert_eq!(generation(0x1, &[99, 12, 0]), 99);
        assert_eq!(generation(0x81, &[12, 0, 99]), 99);
        assert_eq!(generation(0x4d, &[12, 0, 5, 0, 99]), 99);
        assert_eq!(generation(0xf8, &[12, 0, 5, 0, 99]), 0);
        assert_eq!(generation(0x81, &[12]), 0);
    }

    #[test]
    fn a_handle_too_long_is_refused() {
        assert!(KernelHandle { kind: 1, bytes: vec![0; 128] }.to_raw().is_ok());
        assert!(KernelHandle { kind: 1, bytes: vec![0; 129] }.to_raw().is_err());
    }
}
