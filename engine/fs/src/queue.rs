//! What the queue of a device takes at once.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, fstat, major, minor};

use crate::file::LinuxFile;

/// Bytes that one I/O may have without being split: of the device itself, or of the one beneath a
/// file. `NotFound` where there is no such device, as beneath btrfs, tmpfs and NFS.
pub fn queue_limits(file: &LinuxFile) -> io::Result<u64> {
    let stat = fstat(file)?;
    let device = match FileType::from_raw_mode(stat.st_mode) {
        FileType::BlockDevice => stat.st_rdev,
        _ => stat.st_dev,
    };
    let name = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    max_bytes(Path::new(&name))
}

fn max_bytes(device: &Path) -> io::Result<u64> {
    // A partition has no queue of its own. Its directory lies within its disk's, and `..` is
    // taken by the kernel after the link, so it leads there.
    let queues: [PathBuf; 2] = [device.join("queue"), device.join("../queue")];
    let mut missing = io::Error::from(io::ErrorKind::NotFound);
    for queue in queues {
        match std::fs::read_to_string(queue.join("max_sectors_kb")) {
            Ok(text) => {
                let kib: u64 = text.trim().parse().map_err(io::Error::other)?;
                return Ok(kib * 1024);
            }
            Err(error) => missing = error,
        }
    }
    Err(missing)
}
