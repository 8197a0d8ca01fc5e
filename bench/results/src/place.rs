//! What lies below a file, directory or device.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::mount::Mount;

const SECTOR: u64 = 512;

/// The file system and the block device under a path, as far as sysfs shows one.
#[derive(Clone, Debug)]
pub struct Place {
    /// Empty where the path is a device, as are the next two.
    pub file_system: String,
    pub mount_options: String,
    pub source: String,
    sys: Option<PathBuf>,
}

/// Bytes the device has read and written since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub read: u64,
    pub written: u64,
}

impl Place {
    pub fn of(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Read { path: path.to_path_buf(), error };
        let path = path.canonicalize().map_err(failed)?;
        let meta = fs::metadata(&path).map_err(failed)?;
        if meta.file_type().is_block_device() {
            let (file_system, mount_options, source) = Default::default();
            return Ok(Self { file_system, mount_options, source, sys: sys_dir(meta.rdev()) });
        }
        let mount = Mount::of(&path)?
            .ok_or_else(|| failed(io::Error::other("it is below no mount point")))?;
        // btrfs and overlay have a device number of their own: then ask the mounted device node.
        let sys = sys_dir(meta.dev())
            .or_else(|| fs::metadata(&mount.source).ok().and_then(|meta| sys_dir(meta.rdev())));
        Ok(Self {
            file_system: mount.kind,
            mount_options: mount.options.join(","),
            source: mount.source,
            sys,
        })
    }

    pub fn name(&self) -> Option<String> {
        Some(self.sys.as_ref()?.file_name()?.to_string_lossy().into_owned())
    }

    pub fn counters(&self) -> Option<Counters> {
        parse_stat(&fs::read_to_string(self.sys.as_ref()?.join("stat")).ok()?)
    }

    /// A value below the queue directory of the whole disk.
    pub fn queue(&self, name: &str) -> Option<String> {
        let sys = self.sys.as_ref()?;
        [sys.join("queue"), sys.join("../queue")]
            .iter()
            .find_map(|dir| fs::read_to_string(dir.join(name)).ok())
            .map(|text| text.trim().to_owned())
    }

    /// What the maker calls the disk.
    pub fn model(&self) -> Option<String> {
        let sys = self.sys.as_ref()?;
        [sys.join("device/model"), sys.join("../device/model")]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok())
            .map(|text| text.trim().to_owned())
    }

    pub fn hardware_queues(&self) -> Option<usize> {
        let sys = self.sys.as_ref()?;
        [sys.join("mq"), sys.join("../mq")]
            .iter()
            .find_map(|dir| fs::read_dir(dir).ok())
            .map(Iterator::count)
    }
}

fn sys_dir(device: u64) -> Option<PathBuf> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()
}

fn parse_stat(text: &str) -> Option<Counters> {
    let mut fields = text.split_whitespace().map(str::parse::<u64>);
    let read = fields.nth(2)?.ok()? * SECTOR;
    let written = fields.nth(3)?.ok()? * SECTOR;
    Some(Counters { read, written })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_line() {
        let text = "  10 1 16 5 20 2 32 9 0 1 2 0 0 0 0 0 0\n";
        assert_eq!(parse_stat(text), Some(Counters { read: 8192, written: 16384 }));
        assert_eq!(parse_stat("1 2"), None);
    }

    #[test]
    fn here() {
        let place = Place::of(Path::new(".")).expect("the current directory is mounted");
        assert!(!place.file_system.is_empty());
        assert!(Place::of(Path::new("/nowhere")).is_err());
    }
}
