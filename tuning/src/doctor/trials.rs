//! What no file tells is tried.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dray_fs::LinuxFile;
use dray_fs::watch::Group;
use dray_link::days_valid;
use dray_node::config::{Config, Mode, StoreKind};
use dray_ring::{CoreRing, RingChoice, RingSetup};
use rustix::fs::{Mode as FileMode, OFlags};

use super::facts::{CERTIFICATE_DAYS, Ring, Room, Trials, Tried};

impl Trials {
    /// Tries everything on this machine; changes nothing.
    pub fn here(config: Option<&Config>) -> Self {
        let privileged = rustix::process::geteuid().is_root();
        Self {
            ring: ring(config),
            watch: watch(config, privileged),
            certificate_days: certificates(config),
            rooms: rooms(config),
            privileged,
        }
    }
}

fn ring(config: Option<&Config>) -> Tried<Ring> {
    let engine = config.map(Config::engine).unwrap_or_default();
    let (slots, slot_bytes) = (engine.depth(), engine.unit());
    let setup = RingSetup { choice: RingChoice::Uring, slots, slot_bytes };
    let before = huge_bytes();
    match CoreRing::<LinuxFile>::new(&setup) {
        Ok((_ring, notice)) => Tried::Works(Ring {
            registered: notice.is_none(),
            bytes: u64::from(slots) * u64::from(slot_bytes),
            huge: huge_bytes().zip(before).map(|(now, before)| now.saturating_sub(before)),
        }),
        Err(error) if is_refusal(&error) => Tried::Fails(error.to_string()),
        Err(error) => Tried::Not(format!("a ring cannot be made: {error}")),
    }
}

/// Switched off, filtered, or not built in.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

/// Bytes of this process on huge pages.
fn huge_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("AnonHugePages:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Wanted where it is configured, and where nothing is.
fn watch(config: Option<&Config>, privileged: bool) -> Tried<()> {
    if config.is_some_and(|config| config.recall.is_none()) {
        return Tried::Pointless;
    }
    if !privileged {
        return Tried::Not("only root may try".into());
    }
    let group = match Group::of_accesses() {
        Ok(group) => group,
        Err(error) => return Tried::Fails(error.to_string()),
    };
    let managed = config.into_iter().flat_map(|config| &config.fs).map(|fs| fs.path.clone());
    let mut unsuitable = None;
    for folder in managed.chain([std::env::temp_dir()]) {
        // Without a name: nobody else comes to wait for this group.
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(&folder, flags, FileMode::RUSR) else { continue };
        match group.watch_file(&file) {
            Ok(()) => return Tried::Works(()),
            // The file system is none that can be watched.
            Err(error) if error.raw_os_error() == Some(EOPNOTSUPP) => {
                unsuitable =
                    Some(format!("{}: its file system cannot be watched", folder.display()));
            }
            Err(error) => return Tried::Fails(error.to_string()),
        }
    }
    Tried::Not(unsuitable.unwrap_or_else(|| "no directory to try it in".into()))
}

/// `EOPNOTSUPP` on Linux, all architectures but some that are gone.
const EOPNOTSUPP: i32 = 95;

fn certificates(config: Option<&Config>) -> Tried<u64> {
    let Some(tls) = config.and_then(|config| config.tls.as_ref()) else {
        return Tried::Pointless;
    };
    match days_valid(&tls.ca, &tls.cert, &tls.key, CERTIFICATE_DAYS) {
        Ok(days) => Tried::Works(days),
        Err(error) => Tried::Fails(error.to_string()),
    }
}

fn rooms(config: Option<&Config>) -> Vec<Room> {
    let Some(config) = config else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        config.archive.iter().filter_map(|archive| archive.catalog.clone()).collect();
    let daemon = config.node.is_some() || config.cluster.mode == Mode::Cluster;
    if daemon && config.store.kind == StoreKind::Embedded {
        paths.push(config.store.directory());
    }
    let mut rooms: Vec<Room> = paths.iter().filter_map(|path| room(path)).collect();
    rooms.dedup();
    rooms
}

/// Of a directory, or of the first that is there above it.
fn room(path: &Path) -> Option<Room> {
    let path = path.ancestors().find(|path| path.is_dir())?;
    let stat = rustix::fs::statvfs(path).ok()?;
    let (free, total) = (stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize);
    Some(Room { path: path.to_owned(), free, total })
}
