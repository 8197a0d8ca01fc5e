//! The machine and the devices that a result belongs to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// By the name of the vulnerability.
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
