//! The files and devices that are measured.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dray_fs::use_of_device;
use rustix::fs::{OFlags, major, minor};

use crate::error::Refusal;

const EINVAL: i32 = 22;

/// How targets are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    pub write: bool,
    /// Past the page cache.
    pub direct: bool,
    /// Each write durable before it completes (`O_DSYNC`).
    pub durable: bool,
    /// Also what somebody else uses.
    pub forced: bool,
}

/// A file or device to be measured.
#[derive(Debug)]
pub(crate) struct Target {
    pub path: PathBuf,
    pub file: File,
    /// Bytes.
    pub size: u64,
    /// Bytes. Direct requests start and end at multiples of it.
    pub block: u32,
}

impl Target {
    /// Opens `path`. Writes to a device that somebody uses are refused, and so is one that has
    /// partitions. Whatever `opening` says, nothing is read or written here.
    pub(crate) fn open(path: &Path, opening: Opening) -> Result<Self, Refusal> {
        let refused = |why: &str| Refusal::Target { path: path.into(), why: why.into() };
        let failed = |source: io::Error| Refusal::Open { path: path.into(), source };
        let named = fs::metadata(path).map_err(failed)?;
        let device = named.file_type().is_block_device();
        if !device && !named.is_file() {
            return Err(refused("is neither a file nor a block device"));
        }
        let careful = opening.write && device && !opening.forced;
        if careful && let Some(use_) = use_of_device(named.rdev()).map_err(failed)? {
            return Err(refused(&format!(
                "{use_}, and this workload writes: free it, or give --allow_mounted_write if its \
                 content may be lost"
            )));
        }
        let mut flags = OFlags::empty();
        flags.set(OFlags::DIRECT, opening.direct);
        flags.set(OFlags::DSYNC, opening.durable);
        flags.set(OFlags::EXCL, careful);
        let open = |flags: OFlags| {
            let mut options = OpenOptions::new();
            options.read(true).write(opening.write).custom_flags(flags.bits() as i32).open(path)
        };
        // Keeping the time of access costs a few per cent; whoever does not own the file must.
        let file = match open(flags | OFlags::NOATIME) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open(flags),
            other => other,
        };
        let file = match file {
            Err(error) if opening.direct && error.raw_os_error() == Some(EINVAL) => {
                return Err(refused(
                    "takes no direct I/O: give --direct 0 to go through the cache",
                ));
            }
            other => other.map_err(failed)?,
        };
        let size = (&file).seek(SeekFrom::End(0)).map_err(failed)?;
        let block = block_size(&file, device);
        Ok(Self { path: path.into(), file, size, block })
    }
}

/// Bytes of a logical block of the device, or of the device beneath a file.
fn block_size(file: &File, device: bool) -> u32 {
    if device && let Ok(bytes) = rustix::fs::ioctl_blksszget(file) {
        return bytes;
    }
    let beneath = file.metadata().ok().and_then(|meta| {
        let folder = folder(meta.dev());
        let queues = ["queue", "../queue"].map(|queue| folder.join(queue));
        let read = |queue: &PathBuf| fs::read_to_string(queue.join("logical_block_size")).ok();
        queues.iter().find_map(read)?.trim().parse().ok()
    });
    beneath.unwrap_or(512)
}

fn folder(device: u64) -> PathBuf {
    format!("/sys/dev/block/{}:{}", major(device), minor(device)).into()
}
