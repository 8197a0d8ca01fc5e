use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cold;
use crate::device::Device;

/// Limits that decide how large an I/O the queue takes, and how many.
const QUEUE_LIMITS: [&str; 9] = [
    "scheduler",
    "nr_requests",
    "max_sectors_kb",
    "max_segments",
    "logical_block_size",
    "rotational",
    "write_cache",
    "wbt_lat_usec",
    "io_poll",
];

/// The machine a result belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub kernel: String,
    pub architecture: String,
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
    pub transparent_huge_pages: String,
    pub file_system: String,
    pub mount_options: String,
    pub mounted_from: String,
    /// None where the file system has no block device of its own.
    pub device: Option<String>,
    pub hardware_queues: Option<usize>,
    pub queue: BTreeMap<String, String>,
}

impl Machine {
    /// This machine, with the file system that `dir` is on.
    pub fn under(dir: &Path) -> Result<Self> {
        Self::describe(&Device::under(dir)?)
    }

    pub(crate) fn describe(device: &Device) -> Result<Self> {
        let system = rustix::system::uname();
        let queue = QUEUE_LIMITS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), device.queue(name)?)))
            .collect();
        Ok(Self {
            kernel: system.release().to_string_lossy().into_owned(),
            architecture: system.machine().to_string_lossy().into_owned(),
            cpu: cpu_model(),
            cpus: std::thread::available_parallelism()?.get(),
            memory_bytes: cold::total_memory()?,
            transparent_huge_pages: chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
            file_system: device.file_system.clone(),
            mount_options: device.mount_options.clone(),
            mounted_from: device.source.clone(),
            device: device.name(),
            hardware_queues: device.hardware_queues(),
            queue,
        })
    }
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

/// The bracketed word of a sysfs choice such as `always [madvise] never`.
fn chosen(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(|| "unknown".to_owned(), |(word, _)| word.to_owned())
}
