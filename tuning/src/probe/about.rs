//! Where a profile was measured.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use dray_node::config::Measured;

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

pub(super) fn describe(measured: &mut Measured, target: &Path) {
    measured.target = target.display().to_string();
    measured.device = device(target);
    measured.date = today();
    measured.kernel = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    measured.processor = processor();
}

fn processor() -> String {
    let text = read("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", line.map_or("unknown", |(_, name)| name))
}

fn device(target: &Path) -> String {
    let Ok(metadata) = fs::metadata(target) else { return String::new() };
    let is_device = metadata.file_type().is_block_device();
    let number = if is_device { metadata.rdev() } else { metadata.dev() };
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let sys = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}"));
    let mut parts = Vec::new();
    if !is_device && let Some(kind) = file_system(target) {
        parts.push(kind);
    }
    let Ok(sys) = sys else { return parts.join(", ") };
    let name = sys.file_name().unwrap_or_default().to_string_lossy().into_owned();
    parts.push(format!("on {name}"));
    let above = sys.parent().map(Path::to_owned).unwrap_or_default();
    let folders: [PathBuf; 2] = [sys, above];
    let field = |name: &str| folders.iter().find_map(|folder| read(folder.join(name)));
    for (label, name) in [
        ("model", "device/model"),
        ("scheduler", "queue/scheduler"),
        ("nr_requests", "queue/nr_requests"),
        ("max_sectors_kb", "queue/max_sectors_kb"),
    ] {
        parts.extend(field(name).map(|value| format!("{label} {}", chosen(&value))));
    }
    parts.join(", ")
}

/// Of `none [mq-deadline] bfq`, what is in brackets.
fn chosen(value: &str) -> &str {
    let inner = value.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inner.map_or(value, |(word, _)| word)
}

/// Its type, without the path, which says nothing about another machine.
fn file_system(target: &Path) -> Option<String> {
    let path = fs::canonicalize(target).ok()?;
    let mounts = read("/proc/self/mounts")?;
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        path.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    // The last of equals is the one mounted on top.
    fields.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// By the proleptic calendar, from days since 1970.
fn today() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let days = now.unwrap_or_default().as_secs() / 86_400;
    date(days)
}

fn date(mut days: u64) -> String {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_have_their_dates() {
        let known = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29")];
        for (days, text) in known.into_iter().chain([(20_782, "2026-11-25")]) {
            assert_eq!(date(days), text);
        }
    }
}
