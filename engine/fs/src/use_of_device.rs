//! Who uses a block device.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
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
    if swaps().any(|path| fs::metadata(path).is_ok_and(|it| it.rdev() == device)) {
        return Ok(Some("is swapped to".into()));
    }
    let folder = fs::canonicalize(PathBuf::from("/sys/dev/block").join(number))?;
    if let Some(holder) = names(&folder.join("holders")).first() {
        return Ok(Some(format!("is part of {holder}")));
    }
    let is_partition = |name: &&String| folder.join(name).join("partition").exists();
    let partition = names(&folder).iter().find(is_partition).cloned();
    Ok(partition.map(|name| format!("has partitions ({name})")))
}

/// Who uses a file as a device, if anybody does: words that follow its name, such as `backs loop0`
/// or `is swapped to`.
pub fn use_of_file(file: &fs::Metadata) -> Option<String> {
    let is_it = |path: &Path| {
        fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (file.dev(), file.ino()))
    };
    let loops = names(Path::new("/sys/block"));
    let backed = loops.into_iter().filter(|name| name.starts_with("loop")).find(|name| {
        let backing = format!("/sys/block/{name}/loop/backing_file");
        // Followed by a word if it was removed, when nothing is found under it.
        fs::read_to_string(backing).is_ok_and(|path| is_it(Path::new(path.trim_end_matches('\n'))))
    });
    let swapped = || swaps().any(|path| is_it(&path)).then(|| "is swapped to".to_owned());
    backed.map(|name| format!("backs {name}")).or_else(swapped)
}

/// Devices and files that are swapped to.
fn swaps() -> impl Iterator<Item = PathBuf> {
    let text = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let paths = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    paths.map(PathBuf::from).collect::<Vec<_>>().into_iter()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
