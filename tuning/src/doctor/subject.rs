//! What the doctor looks at besides the machine: devices, and file systems on them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use dray_results::Mount;

/// A device or a path, as far as it could be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// As it was named.
    pub name: String,
    /// Names of the whole disks beneath, below `/sys/block`: of a mapped device itself, and those
    /// that it is made of.
    pub disks: Vec<String>,
    /// The file system, if it is a path.
    pub mount: Option<Mount>,
}

impl Subject {
    /// Finds the disks beneath a device or path of this machine.
    pub fn find(path: &Path) -> std::io::Result<Self> {
        let whole = fs::canonicalize(path)?;
        let metadata = fs::metadata(&whole)?;
        let name = path.display().to_string();
        if metadata.file_type().is_block_device() {
            return Ok(Self { name, disks: disks_of(metadata.rdev()), mount: None });
        }
        let mount = Mount::of(&whole).map_err(std::io::Error::other)?;
        let mut disks = disks_of(metadata.dev());
        // btrfs has a device number of its own: then the mounted device node is asked.
        if disks.is_empty()
            && let Some(mount) = &mount
            && let Ok(node) = fs::metadata(&mount.source)
        {
            disks = disks_of(node.rdev());
        }
        Ok(Self { name, disks, mount })
    }

    /// A disk of another machine's tree, by its name.
    pub fn named(path: &Path) -> Self {
        let disk = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name: path.display().to_string(), disks: vec![disk], mount: None }
    }
}

fn disks_of(number: u64) -> Vec<String> {
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let mut disks = Vec::new();
    if let Ok(sys) = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")) {
        collect(&sys, &mut disks);
    }
    disks
}

fn collect(sys: &Path, disks: &mut Vec<String>) {
    // The directory of a partition lies in that of its disk.
    let parent = sys.parent().map(Path::to_owned).unwrap_or_default();
    let whole: &PathBuf = if sys.join("partition").exists() { &parent } else { &sys.to_owned() };
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if whole.join("queue").is_dir() && !disks.contains(&name) {
        disks.push(name);
    }
    for slave in fs::read_dir(whole.join("slaves")).into_iter().flatten().flatten() {
        if let Ok(slave) = fs::canonicalize(slave.path()) {
            collect(&slave, disks);
        }
    }
}
