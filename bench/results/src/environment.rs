//! The machine and the devices that a result belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::place::Place;

/// What decides how large an I/O the queue takes, how many, and when they are done.
const QUEUE: [&str; 15] = [
    "scheduler",
    "nr_requests",
    "max_sectors_kb",
    "max_hw_sectors_kb",
    "max_segments",
    "max_segment_size",
    "logical_block_size",
    "physical_block_size",
    "rotational",
    "write_cache",
    "fua",
    "wbt_lat_usec",
    "io_poll",
    "nomerges",
    "rq_affinity",
];

const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

/// Everything around a run that may explain its figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of dray.
    pub dray: String,
    pub machine: Machine,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub kernel: String,
    pub architecture: String,
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
    pub transparent_huge_pages: String,
    /// By the name of the vulnerability; empty where the kernel does not say.
    pub mitigations: BTreeMap<String, String>,
}

/// A file, directory or device with what is below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub path: String,
    /// Empty for a device, as are the next two.
    pub file_system: String,
    pub mount_options: String,
    pub mounted_from: String,
    /// `None` where the file system has no block device of its own.
    pub device: Option<String>,
    pub hardware_queues: Option<usize>,
    /// From `/sys/block/*/queue`.
    pub queue: BTreeMap<String, String>,
}

/// The name of this host.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Environment {
    /// That of this machine; `dray` is the version.
    pub fn capture(dray: &str, targets: &[PathBuf]) -> Result<Self, Error> {
        let targets = targets.iter().map(|path| Target::of(path)).collect::<Result<_, _>>()?;
        Ok(Self { dray: dray.to_owned(), machine: Machine::this(), targets })
    }
}

impl Machine {
    pub fn this() -> Self {
        let system = rustix::system::uname();
        Self {
            kernel: system.release().to_string_lossy().into_owned(),
            architecture: system.machine().to_string_lossy().into_owned(),
            cpu: cpu_model(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: memory(),
            transparent_huge_pages: chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
            mitigations: mitigations(),
        }
    }
}

impl Target {
    pub fn of(path: &Path) -> Result<Self, Error> {
        Ok(Self::describe(path, &Place::of(path)?))
    }

    /// `place` is that of `path`.
    pub fn describe(path: &Path, place: &Place) -> Self {
        let queue = QUEUE.iter().filter_map(|name| Some(((*name).to_owned(), place.queue(name)?)));
        Self {
            path: path.display().to_string(),
            file_system: place.file_system.clone(),
            mount_options: place.mount_options.clone(),
            mounted_from: place.source.clone(),
            device: place.name(),
            hardware_queues: place.hardware_queues(),
            queue: queue.collect(),
        }
    }
}

/// The name of the processor; that of its part where the architecture has no name.
fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    field("model name")
        .or_else(|| Some(format!("part {}", field("CPU part")?)))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Bytes; 0 where it cannot be read.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split(' ').rev().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}

/// The bracketed word of a sysfs choice such as `always [madvise] never`.
fn chosen(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(|| "unknown".to_owned(), |(word, _)| word.to_owned())
}

fn mitigations() -> BTreeMap<String, String> {
    let entries = fs::read_dir(VULNERABILITIES).into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let state = fs::read_to_string(entry.path()).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), state.trim().to_owned()))
    };
    entries.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        let dir = tempfile::tempdir().expect("a directory for tests");
        let environment = Environment::capture("0.1.0", &[dir.path().to_path_buf()])
            .expect("the directory is there");
        let machine = &environment.machine;
        assert!(machine.cpus > 0 && machine.memory_bytes > 1 << 26, "{machine:?}");
        assert!(!machine.kernel.is_empty() && machine.cpu != "unknown", "{machine:?}");
        assert_eq!(machine.mitigations.is_empty(), !Path::new(VULNERABILITIES).is_dir());
        let target = &environment.targets[0];
        assert!(!target.file_system.is_empty() && !target.mount_options.is_empty(), "{target:?}");
        assert_eq!(target.device.is_some(), !target.queue.is_empty(), "{target:?}");
    }
}
