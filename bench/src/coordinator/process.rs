//! Figures of this process, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// The thread of the coordinator is found by this name.
const THREAD: &str = "coordinator";

/// Resident memory in bytes.
pub(super) fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/statm").context("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.context("/proc/self/statm")? * rustix::param::page_size() as u64)
}

/// Of the last 1, 5 and 15 minutes.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

/// User and system seconds of the coordinator's thread and of all threads, ended ones too.
pub(super) fn cpu_seconds() -> Result<(f64, f64)> {
    let whole = fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    let (_, all) = parse(&whole).context("/proc/self/stat")?;
    let mut own = 0.0;
    for entry in fs::read_dir("/proc/self/task").context("/proc/self/task")? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        own += parse(&text).filter(|(name, _)| *name == THREAD).map_or(0.0, |(_, cpu)| cpu);
    }
    Ok((own, all))
}

/// Name and CPU seconds out of a `stat` line. A name may hold spaces and brackets.
fn parse(stat: &str) -> Option<(&str, f64)> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    // Fields 14 and 15, counted from 1; the tail begins with the third.
    let mut fields = tail.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) as f64 / rustix::param::clock_ticks_per_second() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read() {
        let line = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 1 1 1";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(parse(line), Some(("a) b", 300.0 / ticks)));
        assert!(resident().expect("resident memory") > 0);
        assert!(cpu_seconds().is_ok());
    }
}
