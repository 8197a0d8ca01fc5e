//! Limits and use of the process itself.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Lifts the soft limit of open files to the hard one and returns it; `None` is no limit.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.maximum)
}

/// Has the calling thread, and those it starts from now on, run before all that are not of real
/// time (`sched(7)`). EPERM without CAP_SYS_NICE.
pub fn run_in_real_time() -> io::Result<()> {
    crate::ffi::schedule::real_time()
}

/// CPU time of all threads so far, user and system.
pub fn process_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.cast_unsigned(), spent.tv_nsec as u32)
}

/// The most memory that was resident at once, in bytes.
pub fn peak_resident_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .ok_or(io::ErrorKind::NotFound)?;
    Ok(kib.trim().parse::<u64>().map_err(io::Error::other)? * 1024)
}
