//! How a tree was before it was archived, and what is different after it came back.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use dray_io::{Aligned, Fault};
use dray_mover::Entry;
use dray_node::Machine;

use super::known::{Known, examine};
use super::tree::{each_entry, lock};

#[derive(Debug)]
pub(super) struct Difference {
    pub(super) path: PathBuf,
    pub(super) what: String,
}

pub(super) struct Baseline {
    /// Sorted by path.
    pub(super) known: Vec<Known>,
    pub(super) unreadable: Vec<Fault>,
    /// Of data: without holes, and of a file with several names once.
    pub(super) bytes: u64,
}

impl Baseline {
    pub(super) fn take(machine: &Machine, root: &Path) -> Self {
        let (known, unreadable) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let failed = |fault| lock(&unreadable).push(fault);
        let job = |entry: &Entry, buffer: &mut Aligned| match examine(machine, entry, buffer) {
            Ok(one) => lock(&known).push(one),
            Err(fault) => failed(fault),
        };
        each_entry(machine, root, &job, &failed);
        let mut known = known.into_inner().unwrap_or_default();
        known.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let bytes = known.iter().map(Known::data_bytes).sum();
        Self { known, unreadable: unreadable.into_inner().unwrap_or_default(), bytes }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        self.known.binary_search_by(|known| known.path.as_path().cmp(path)).ok()
    }

    /// Goes through the tree again.
    pub(super) fn compare(&self, machine: &Machine, root: &Path) -> Vec<Difference> {
        let seen: Vec<AtomicBool> = self.known.iter().map(|_| AtomicBool::new(false)).collect();
        let differences = Mutex::new(Vec::new());
        let differs = |path: &Path, what: String| {
            lock(&differences).push(Difference { path: path.to_owned(), what });
        };
        // What could not be read before is no news.
        let failed = |fault: Fault| {
            if !self.unreadable.iter().any(|known| known.path == fault.path) {
                differs(&fault.path, fault.to_string());
            }
        };
        let job = |entry: &Entry, buffer: &mut Aligned| {
            let found = self.find(&entry.path);
            if let Some(at) = found {
                seen[at].store(true, Ordering::Relaxed);
            }
            match (examine(machine, entry, buffer), found) {
                (Ok(now), Some(at)) => {
                    let what = self.known[at].differences(&now);
                    if !what.is_empty() {
                        differs(&entry.path, what.join(", "));
                    }
                }
                (Ok(_), None) => differs(&entry.path, "was not there before".to_owned()),
                (Err(fault), _) => failed(fault),
            }
        };
        each_entry(machine, root, &job, &failed);
        for (known, seen) in self.known.iter().zip(&seen) {
            if !seen.load(Ordering::Relaxed) {
                differs(&known.path, "is gone".to_owned());
            }
        }
        let mut differences = differences.into_inner().unwrap_or_default();
        differences.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        differences
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use dray_node::MachineOptions;

    use super::*;

    #[test]
    fn every_change_is_told() {
        let made = std::env::temp_dir().join(format!("dray-baseline-{}", std::process::id()));
        fs::create_dir_all(&made).unwrap();
        let top = fs::canonicalize(&made).unwrap();
        for name in ["content", "mode", "moved", "same", "time"] {
            fs::write(top.join(name), name.repeat(30_000)).unwrap();
            fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        std::os::unix::fs::symlink("here", top.join("link")).unwrap();
        let machine = Machine::new(&MachineOptions::default());
        let baseline = Baseline::take(&machine, &top);
        assert_eq!(baseline.compare(&machine, &top).len(), 0);

        let file = fs::OpenOptions::new().write(true).open(top.join("content")).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"X", 70_000).unwrap();
        file.set_modified(modified).unwrap();
        fs::set_permissions(top.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(top.join("moved"), top.join("new")).unwrap();
        let time = fs::OpenOptions::new().write(true).open(top.join("time")).unwrap();
        time.set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::remove_file(top.join("link")).unwrap();
        std::os::unix::fs::symlink("away", top.join("link")).unwrap();

        let found = baseline.compare(&machine, &top);
        fs::remove_dir_all(&top).unwrap();
        let told = |name: &str| {
            let path = top.join(name);
            let one = found.iter().find(|difference| difference.path == path);
            one.map(|difference| difference.what.as_str()).unwrap_or_default()
        };
        assert!(told("content").starts_with("sum was"), "{}", told("content"));
        assert_eq!(told("mode"), "mode was 0644, is 0600");
        assert_eq!((told("moved"), told("new")), ("is gone", "was not there before"));
        assert!(told("time").starts_with("modification time was"));
        assert!(told("link").contains("target was"));
        assert_eq!(told("same"), "");
    }
}
