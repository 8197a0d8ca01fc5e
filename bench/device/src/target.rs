//! The files and devices that are measured.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dray_fs::{use_of_device, use_of_file};
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
    /// Bytes of a file that is made if there is none.
    pub make: Option<u64>,
}

/// A file that was made to be measured; removed again unless it comes to that.
#[derive(Debug)]
pub(crate) struct Made {
    path: PathBuf,
    pub(crate) kept: bool,
}

impl Made {
    fn new(path: &Path, bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let made = Self { path: path.into(), kept: false };
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
        Ok(made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.kept {
            // It was not there before; who is told why needs no word of this.
            let _ = fs::remove_file(&self.path);
        }
    }
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
    pub made: Option<Made>,
}

impl Target {
    /// Opens `path`, or makes it. Writes to a device that somebody uses are refused, also by way of
    /// the file behind it, and so is one that has partitions. Whatever `opening` says, nothing is
    /// read or written here.
    pub(crate) fn open(path: &Path, opening: Opening) -> Result<Self, Refusal> {
        let refused = |why: &str| Refusal::Target { path: path.into(), why: why.into() };
        let failed = |source: io::Error| Refusal::Open { path: path.into(), source };
        let (named, made) = match (fs::metadata(path), opening.make) {
            (Err(error), Some(bytes)) if error.kind() == io::ErrorKind::NotFound => {
                let made = Made::new(path, bytes).map_err(failed)?;
                (fs::metadata(path).map_err(failed)?, Some(made))
            }
            (named, _) => (named.map_err(failed)?, None),
        };
        let device = named.file_type().is_block_device();
        if !device && !named.is_file() {
            return Err(refused("is neither a file nor a block device"));
        }
        if opening.write && device && is_read_only(named.rdev()) {
            return Err(refused("is set read-only, and this workload writes"));
        }
        let careful = opening.write && !opening.forced;
        let use_ = || match device {
            true => use_of_device(named.rdev()).map_err(failed),
            false => Ok(use_of_file(&named)),
        };
        if careful && let Some(use_) = use_()? {
            return Err(refused(&format!(
                "{use_}, and this workload writes: free it, or give --allow_mounted_write if its \
                 content may be lost"
            )));
        }
        let mut flags = OFlags::empty();
        flags.set(OFlags::DIRECT, opening.direct);
        flags.set(OFlags::DSYNC, opening.durable);
        flags.set(OFlags::EXCL, careful && device);
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
        Ok(Self { path: path.into(), file, size, block, made })
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

fn is_read_only(device: u64) -> bool {
    let text = fs::read_to_string(folder(device).join("ro"));
    text.is_ok_and(|text| text.trim() == "1")
}

fn folder(device: u64) -> PathBuf {
    format!("/sys/dev/block/{}:{}", major(device), minor(device)).into()
}
