//! Who uses a block device.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

/// Who uses the block device of this number (`st_rdev`), if anybody does: words that follow its
/// name, such as `is mounted at /data` or `has partitions (sdb1)`.
pub fn use_of_device(device: u64) -> io::Result<Option<String>> {
    let number = format!("{}:{}", major(device), minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    if let Some(mount) = fields.find_map(|mut it| (it.nth(2) == Some(&number)).then(|| it.nth(1))) {
        return Ok(Some(format!("is mounted at {}", mount.unwrap_or("?"))));
    }
    for swap in fs::read_to_string("/proc/swaps").unwrap_or_default().lines().skip(1) {
        let path = swap.split_whitespace().next().unwrap_or_default();
        let is_it = |meta: fs::Metadata| std::os::unix::fs::MetadataExt::rdev(&meta) == device;
        if fs::metadata(path).is_ok_and(is_it) {
            return Ok(Some("is swapped to".into()));
        }
    }
    let folder = fs::canonicalize(PathBuf::from("/sys/dev/block").join(number))?;
    if let Some(holder) = names(&folder.join("holders")).first() {
        return Ok(Some(format!("is part of {holder}")));
    }
    let is_partition = |name: &&String| folder.join(name).join("partition").exists();
    let partition = names(&folder).iter().find(is_partition).cloned();
    Ok(partition.map(|name| format!("has partitions ({name})")))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
