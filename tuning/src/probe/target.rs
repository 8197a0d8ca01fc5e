//! What is probed: a device, or a file of the probe's own in a directory.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use dray_fs::{LinuxFile, LinuxFiles, device_size, open_device_exclusive, use_of_device};
use dray_io::{Access, Aligned, Context, Fault, Files, Operation};

use super::measure::fill;

/// Bytes at the front of a device that are left alone, and that must be zero before a write:
/// labels, partition tables and superblocks lie there.
pub(super) const FRONT: u64 = 1 << 20;
/// Bytes of the file that is made in a directory, unless the command line says otherwise.
pub(super) const SCRATCH: u64 = 1 << 30;
/// Bytes below which nothing is measured: all cores' first requests of the largest size.
const LEAST: u64 = 128 << 20;
/// The file takes at most this share of what is free.
const SHARE: u64 = 4;

/// Why a target is not probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Io(#[from] Fault),
    #[error("{} {how}: nothing was written to it; name one that nobody needs", path.display())]
    Used { path: PathBuf, how: String },
    #[error(
        "{} holds something: its first MiB is not zero. If nobody needs it: --force",
        path.display()
    )]
    Filled { path: PathBuf },
    #[error(
        "{} has {bytes} bytes to measure on: at least {LEAST} are needed",
        path.display()
    )]
    Small { path: PathBuf, bytes: u64 },
    #[error("{} is neither a block device nor a file or directory", path.display())]
    Neither { path: PathBuf },
    #[error("{0}")]
    Options(String),
    #[error(transparent)]
    Config(#[from] dray_node::config::ConfigError),
}

/// Open, and ready to be read and perhaps written from `from` to `to`.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) file: LinuxFile,
    pub(super) path: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) writable: bool,
}

impl Target {
    /// `write` and `force` concern devices: what is written in a directory is the probe's own.
    pub(super) fn open(path: &Path, write: bool, force: bool, scratch: u64) -> Result<Self, Error> {
        let path = &fs::canonicalize(path).during(Operation::Open, path)?;
        let metadata = fs::metadata(path).during(Operation::Stat, path)?;
        let kind = metadata.file_type();
        if kind.is_block_device() {
            let target = Self::device(path, metadata.rdev(), write, force)?;
            return if write { target.written(scratch) } else { Ok(target) };
        }
        let folder = match (kind.is_dir(), path.parent()) {
            (true, _) => path,
            (false, Some(parent)) if kind.is_file() => parent,
            _ => return Err(Error::Neither { path: path.clone() }),
        };
        Self::scratch(folder, scratch)
    }

    fn device(path: &Path, number: u64, write: bool, force: bool) -> Result<Self, Error> {
        let file = if write {
            let used = |how| Error::Used { path: path.to_owned(), how };
            if let Some(how) = use_of_device(number).during(Operation::Stat, path)? {
                return Err(used(how));
            }
            open_device_exclusive(path, true).map_err(|cause| match cause.kind() {
                std::io::ErrorKind::ResourceBusy => used("is claimed by another".to_owned()),
                _ => {
                    Fault { operation: Operation::Open, path: path.into(), at: None, cause }.into()
                }
            })?
        } else {
            LinuxFiles::new().open(path, Access::ReadDirect).during(Operation::Open, path)?
        };
        let to = device_size(&file).during(Operation::Stat, path)?;
        let from = FRONT;
        if to < from + LEAST {
            let bytes = to.saturating_sub(from);
            return Err(Error::Small { path: path.to_owned(), bytes });
        }
        if write && !force {
            let mut front = Aligned::new(FRONT as usize);
            let files = LinuxFiles::new();
            files.read_at(&file, &mut front, 0).during_at(Operation::Read, path, 0)?;
            if front.iter().any(|byte| *byte != 0) {
                return Err(Error::Filled { path: path.to_owned() });
            }
        }
        Ok(Self { file, path: path.to_owned(), from, to, writable: write })
    }

    /// Only so many bytes of it, which have all been written.
    fn written(mut self, bytes: u64) -> Result<Self, Error> {
        self.to = self.to.min(self.from + bytes) / FRONT * FRONT;
        prepare(&self.file, &self.path, self.from, self.to)?;
        Ok(self)
    }

    /// A file without a name: it is gone when it is closed, however the process ends.
    fn scratch(folder: &Path, wanted: u64) -> Result<Self, Error> {
        let room = rustix::fs::statvfs(folder).map_err(Into::into);
        let room = room.during(Operation::Stat, folder)?;
        let bytes = wanted.min(room.f_bavail * room.f_frsize / SHARE) / FRONT * FRONT;
        if bytes < LEAST {
            return Err(Error::Small { path: folder.to_owned(), bytes });
        }
        let files = LinuxFiles::new();
        let path = folder.join(format!(".dray-probe-{}", std::process::id()));
        let file = files.create(&path, true).during(Operation::Create, &path)?;
        files.unlink(&path).during(Operation::Unlink, &path)?;
        prepare(&file, &path, 0, bytes)?;
        Ok(Self { file, path: folder.to_owned(), from: 0, to: bytes, writable: true })
    }
}

/// Writes all of a range once: space that is given to a file or a thin device at its first write
/// makes that slower than those after it.
fn prepare(file: &LinuxFile, path: &Path, from: u64, to: u64) -> Result<(), Fault> {
    let files = LinuxFiles::new();
    let mut state = 0x2545_f491_4f6c_dd1d;
    let mut buffer = Aligned::new(4 << 20);
    fill(&mut buffer, &mut state);
    let mut at = from;
    while at < to {
        let length = (buffer.len() as u64).min(to - at);
        files.write_at(file, &buffer[..length as usize], at).during_at(
            Operation::Write,
            path,
            at,
        )?;
        at += length;
    }
    files.sync(file).during(Operation::Flush, path)
}
