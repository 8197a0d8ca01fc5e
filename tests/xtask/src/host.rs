//! A description of the machine, kept with every measurement made on it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::run;

/// What decides how requests reach the device.
const QUEUE: [&str; 10] = [
    "logical_block_size",
    "max_hw_sectors_kb",
    "max_sectors_kb",
    "max_segment_size",
    "max_segments",
    "nr_requests",
    "physical_block_size",
    "rotational",
    "scheduler",
    "write_cache",
];

/// `scratch` is where the benchmark puts its files.
pub(crate) fn describe(scratch: &Path) -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "date": today(),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "cpu": cpu_model(),
        "cores": cores,
        "memory": field("/proc/meminfo", "MemTotal"),
        "file_system": file_system(scratch),
        "queue": queue(scratch),
        "rustc": run::output(run::program("rustc").arg("--version")),
        "commit": run::output(run::program("git").args(["rev-parse", "HEAD"])),
        "clean": run::output(run::program("git").args(["status", "--porcelain"]))
            .map(|changes| changes.is_empty()),
    })
}

/// Processor and cores as a part of a file name; never the name of the host.
pub(crate) fn short_name() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.into());
    let words: Vec<String> = model
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !matches!(*word, "" | "r" | "tm" | "cpu" | "processor" | "core"))
        .take(3)
        .map(str::to_owned)
        .collect();
    format!("{}-{cores}c", words.join("-"))
}

pub(crate) fn today() -> String {
    run::output(run::program("date").args(["-u", "+%Y-%m-%d"])).unwrap_or_else(|| "undated".into())
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The first `name: value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = read(path)?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn cpu_model() -> Option<String> {
    field("/proc/cpuinfo", "model name").or_else(|| field("/proc/cpuinfo", "CPU part"))
}

/// Type and options; not the path, which says nothing about another machine.
fn file_system(scratch: &Path) -> Option<Value> {
    let mut command = run::program("findmnt");
    command.args(["--noheadings", "--output", "FSTYPE,OPTIONS", "--target"]).arg(scratch);
    let text = run::output(&mut command)?;
    let (kind, options) = text.split_once(' ')?;
    Some(json!({ "type": kind, "options": options.trim() }))
}

/// The queue limits of the disk below, or null where there is none, as on btrfs or tmpfs.
fn queue(scratch: &Path) -> Option<Value> {
    let device = fs::metadata(scratch).ok()?.dev();
    let node = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    let node: PathBuf = fs::canonicalize(node).ok()?;
    // A partition has the queue of the disk it lies in.
    let disk = [Some(node.as_path()), node.parent()]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("queue").is_dir())?;
    let mut limits = Map::new();
    for name in QUEUE {
        if let Some(value) = read(disk.join("queue").join(name)) {
            limits.insert(name.to_owned(), value.parse::<u64>().map_or(json!(value), Value::from));
        }
    }
    Some(Value::Object(limits))
}

/// As glibc's `gnu_dev_major`.
fn major(device: u64) -> u64 {
    ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000)
}

fn minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xffff_ff00)
}
