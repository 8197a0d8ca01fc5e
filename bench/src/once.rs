use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::flush;
use crate::tools::Tool;

/// A tree may be large and its disk slow; only a hang is to be ended.
const TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A single run of a program, from spawn to exit of the flush after it.
#[derive(Clone, Debug)]
pub struct Once {
    pub seconds: f64,
    /// User and system time of the program and of the flush.
    pub cpu_seconds: f64,
    pub peak_memory_bytes: u64,
    /// What it said when it did not end well.
    pub failure: Option<String>,
}

/// Runs `tool` and flushes the file system of `flushed`. A bad exit is reported, not an error.
pub fn run_once<S: AsRef<OsStr>>(tool: &Tool, args: &[S], flushed: &Path) -> Result<Once> {
    let command = tool.cmd().args(args).timeout(TIMEOUT);
    let begun = Instant::now();
    let (used, failure) = command.attempt()?;
    let flush = flush(flushed).timeout(TIMEOUT).run()?;
    let cpu = used.user + used.system + flush.user + flush.system;
    Ok(Once {
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: cpu.as_secs_f64(),
        peak_memory_bytes: used.peak_memory,
        failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_exit_is_told_with_its_cost() {
        let args =
            ["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo why >&2; exit 1"];
        let once = run_once(&Tool::find("sh"), &args, Path::new(".")).expect("sh runs");
        assert!(once.failure.is_some_and(|why| why.ends_with("why")));
        assert!(once.cpu_seconds > 0.005 && once.seconds >= 0.005);
    }
}
