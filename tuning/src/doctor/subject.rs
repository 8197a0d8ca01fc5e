//! What the doctor looks at besides the machine: devices, and file systems on them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

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

/// A line of mountinfo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    pub point: String,
    pub kind: String,
    pub source: String,
    /// Of the mount and of the file system.
    pub options: Vec<String>,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.split_once(" - ")?;
        let mut head = head.split(' ');
        let point = head.nth(4)?.replace(r"\040", " ");
        let mut options: Vec<String> = head.next()?.split(',').map(str::to_owned).collect();
        let mut tail = tail.split(' ');
        let (kind, source) = (tail.next()?.to_owned(), tail.next()?.to_owned());
        options.extend(tail.next().unwrap_or_default().split(',').map(str::to_owned));
        Some(Self { point, kind, source, options })
    }

    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|it| it == option)
    }
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
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mounts = mounts.lines().filter_map(Mount::parse);
        // The last of equals is the one mounted on top.
        let mount = mounts
            .filter(|mount| whole.starts_with(&mount.point))
            .max_by_key(|mount| Path::new(&mount.point).components().count());
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

#[cfg(test)]
mod tests {
    use super::Mount;

    #[test]
    fn a_line_of_mountinfo() {
        let line = r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext4 /dev/vda rw,discard";
        let mount = Mount::parse(line).expect("a full line");
        assert_eq!((mount.point.as_str(), mount.kind.as_str()), ("/mnt/a b", "ext4"));
        assert!(mount.has("noatime") && mount.has("discard") && !mount.has("ro"));
        assert_eq!(Mount::parse("36 35 98:0"), None);
    }
}
