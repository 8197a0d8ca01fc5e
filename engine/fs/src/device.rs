//! LUNs: block devices, and regular files standing for them.

use std::io;
use std::path::Path;

use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;

use crate::access::open_path;
use crate::data;
use crate::ffi::ioctl::block_device_size;
use crate::file::LinuxFile;

/// Opens a LUN past the page cache. A block device is claimed, so `ResourceBusy` means that it is
/// mounted, part of a volume group, or claimed by another; it stays claimed until closed.
pub fn open_device_exclusive(path: &Path, write: bool) -> io::Result<LinuxFile> {
    // Looked at before it is opened: opening a tape or a terminal is not without effect.
    let named = open_path(path, OFlags::PATH, 0)?;
    let kind = FileType::from_raw_mode(fstat(&named)?.st_mode);
    let flags = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let (fd, direct) = match kind {
        FileType::BlockDevice => (open_path(path, flags | OFlags::DIRECT | OFlags::EXCL, 0)?, true),
        FileType::RegularFile => match open_path(path, flags | OFlags::DIRECT, 0) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                (open_path(path, flags, 0)?, false)
            }
            result => (result?, true),
        },
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a device or a file")),
    };
    let (named, opened) = (fstat(&named)?, fstat(&fd)?);
    if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "replaced while it was opened"));
    }
    Ok(LinuxFile { fd, path_only: false, direct, invisible: false })
}

/// Bytes of a LUN.
pub fn device_size(file: &LinuxFile) -> io::Result<u64> {
    match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::BlockDevice => block_device_size(file),
        _ => data::size(file),
    }
}
