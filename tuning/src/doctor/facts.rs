//! What is known of a machine: its files, and what was tried on it. Every check is a function of
//! these, so that tests make machines up.

use std::fs;
use std::path::{Path, PathBuf};

use dray_node::config::Config;

use super::subject::Subject;

/// Everything that checks look at.
#[derive(Debug)]
pub struct Facts {
    /// Where `/proc` and `/sys` are.
    pub root: PathBuf,
    pub trials: Trials,
    /// The configuration, if there is one.
    pub config: Option<Config>,
    pub subjects: Vec<Subject>,
}

/// What the system said when it was asked, which no file tells.
#[derive(Debug, Default)]
pub struct Trials {
    /// A ring as the configuration shapes it.
    pub ring: Tried<Ring>,
    /// A group that is asked before data is accessed.
    pub watch: Tried<()>,
    /// The certificates of the configuration, if it has any: days that they are good for, at most
    /// [`CERTIFICATE_DAYS`].
    pub certificate_days: Tried<u64>,
    /// Directories in which the daemon keeps things.
    pub rooms: Vec<Room>,
    /// Whether the process may do what root may.
    pub privileged: bool,
}

/// Days ahead that certificates are looked at.
pub const CERTIFICATE_DAYS: u64 = 30;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Tried<T> {
    /// And why.
    Not(String),
    /// There is nothing to try.
    #[default]
    Pointless,
    Works(T),
    /// And what the system said.
    Fails(String),
}

/// A ring that could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Its memory is locked and known to the kernel.
    pub registered: bool,
    /// Bytes of its memory, and of those on huge pages, if the kernel says.
    pub bytes: u64,
    pub huge: Option<u64>,
}

/// Space in a directory, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub path: PathBuf,
    pub free: u64,
    pub total: u64,
}

impl Facts {
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The content of a file without the space around it.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read_to_string(self.at(path)).ok()?;
        Some(text.trim().to_owned())
    }

    pub fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    /// Names in a directory, sorted; none if there is no such directory.
    pub fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        // A link that leads nowhere is there: units are enabled by links.
        self.at(path).symlink_metadata().is_ok()
    }

    /// The choice in brackets of a file like `always [madvise] never`, or all of it.
    pub fn chosen(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.read(path)?;
        let inner = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        Some(inner.map_or_else(|| text.clone(), |(word, _)| word.to_owned()))
    }

    /// Bytes per request.
    pub fn unit(&self) -> u64 {
        u64::from(self.engine().unit())
    }

    pub fn engine(&self) -> dray_node::config::Engine {
        self.config.as_ref().map(Config::engine).unwrap_or_default()
    }

    /// Bytes of the buffers of one core: whole huge pages.
    pub fn arena(&self) -> u64 {
        (self.unit() * u64::from(self.engine().depth())).next_multiple_of(2 << 20)
    }

    /// CPU ids that this process may use, ascending.
    pub fn cpus(&self) -> Vec<u64> {
        let status = self.read("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.map(ranges).unwrap_or_default()
    }

    /// Cores that the engine pins: the last ones.
    pub fn core_cpus(&self) -> Vec<u64> {
        let mut cpus = self.cpus();
        let wanted = match self.engine().cores {
            0 => cpus.len().saturating_sub(1).max(1),
            cores => cores,
        };
        cpus.drain(..cpus.len().saturating_sub(wanted));
        cpus
    }
}

/// Numbers of a list like `0-3,8`.
pub(super) fn ranges(list: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u64>(), last.trim().parse()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(ranges("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(ranges(""), [0; 0]);
    }
}
