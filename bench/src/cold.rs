use std::fs;
use std::hint::black_box;

use anyhow::{Context, Result};

const PAGE: usize = 4096;

/// Whether this process may drop the page cache.
pub fn can_drop_caches() -> bool {
    rustix::process::geteuid().is_root()
        && fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches").is_ok()
}

/// Leaves nothing dirty and nothing cached.
pub fn empty_cache(drop_caches: bool) -> Result<()> {
    rustix::fs::sync();
    if drop_caches {
        fs::write("/proc/sys/vm/drop_caches", "3").context("drop caches")?;
    }
    Ok(())
}

/// Writes to every page of `bytes` of memory and gives it back, bounded by what is available.
///
/// In a virtual machine, free memory may have gone back to the host; fetching it again costs the
/// guest CPU time that is not the mover's. One allocation of this size comes from `mmap` and is
/// unmapped when dropped.
pub fn touch_memory(bytes: u64) {
    let available = meminfo(&["MemAvailable:"]).unwrap_or(0);
    let bytes = bytes.min(available - available / 8);
    let Ok(bytes) = usize::try_from(bytes) else { return };
    if bytes == 0 {
        return;
    }
    let mut memory = vec![0u8; bytes];
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    drop(black_box(memory));
    // A child starts with its parent's peak as its own until it executes, so forget this one.
    // Where the kernel does not offer it, only the memory column suffers.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Bytes in the page cache.
pub(crate) fn cached() -> Result<u64> {
    meminfo(&["Cached:", "Buffers:"])
}

/// Resident memory of this process, the least that a child's peak can show.
pub(crate) fn own_memory() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Seconds that all CPUs together have been busy since boot, steal left out.
pub(crate) fn busy_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).map_while(|t| t.parse().ok()).collect();
    // user nice system idle iowait irq softirq
    let busy: u64 =
        ticks.iter().take(7).enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, t)| t).sum();
    Ok(busy as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn meminfo(names: &[&str]) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let mut kib = 0;
    for name in names {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .with_context(|| format!("no {name} in /proc/meminfo"))?;
        kib += value.parse::<u64>().with_context(|| format!("{name} in /proc/meminfo"))?;
    }
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cmd;

    #[test]
    fn touched_memory_comes_back_and_does_not_count_for_children() {
        let touched = 512 << 20;
        touch_memory(touched);
        // Of this process: what others do to the free memory meanwhile is not our concern.
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let resident: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(resident * 1024 < touched / 2, "{resident} KiB are still resident");
        let peak = Cmd::new("true").run().expect("true runs").peak_memory;
        assert!(peak < touched / 4, "true appears to use {peak} bytes");
    }

    #[test]
    fn counters_are_there() {
        assert!(cached().expect("meminfo") > 0);
        assert!(busy_seconds().expect("stat") > 0.0);
        let total = meminfo(&["MemTotal:"]).expect("meminfo");
        assert!(total > cached().expect("meminfo"));
    }
}
