//! `cargo xtask loop-clean`: takes down what an aborted test run left mounted or attached.
//!
//! Only below the temporary directory, and there only below names that start with `dray-`, so
//! that nothing else on the machine is touched.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::args::Args;
use crate::{machine, run};

pub(crate) fn clean(mut args: Args) -> Result<()> {
    let dry_run = args.flag("--dry-run");
    args.done()?;
    let temp = std::env::temp_dir();
    let temp = temp.canonicalize().unwrap_or(temp);
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();

    let mut steps = Vec::new();
    // Mounted last, taken down first: one may lie in another.
    for mount in mount_points(&table).into_iter().rev().filter(|it| is_ours(&temp, it)) {
        steps.push(step("umount", &mount));
    }
    for (device, file) in loop_devices() {
        if is_ours(&temp, &file) {
            let mut command = step("losetup", Path::new("--detach"));
            command.arg(&device);
            steps.push(command);
        }
    }
    if dry_run {
        steps.iter().for_each(|command| println!("would run: {}", run::text(command)));
        return Ok(());
    }
    println!("taking down {} (mounts and loop devices, {})", steps.len(), temp.display());
    if !steps.is_empty() && !machine::is_root() {
        bail!("{} mounts and loop devices are left and only root can take them down", steps.len());
    }
    run::all(&mut steps)
}

fn step(program: &str, argument: &Path) -> Command {
    let mut command = run::program(program);
    command.env("PATH", machine::path()).arg(argument);
    command
}

/// Whether the path lies below a name starting with `dray-` in `temp`.
fn is_ours(temp: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(temp) else { return false };
    // The temporary directory of a whole run may itself carry the name.
    let of_run = temp.file_name().into_iter();
    of_run.chain(below.iter()).any(|name| name.as_encoded_bytes().starts_with(b"dray-"))
}

fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescaped).collect()
}

/// The kernel writes blanks in this table as three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).and_then(|it| std::str::from_utf8(it).ok());
        let value = digits.and_then(|it| u8::from_str_radix(it, 8).ok());
        match (first, value) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// Attached loop devices and the files behind them.
fn loop_devices() -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = fs::read_dir("/sys/block") else { return Vec::new() };
    let mut devices = Vec::new();
    for entry in entries.flatten() {
        let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) else { continue };
        let file = file.trim_end_matches('\n').trim_end_matches(" (deleted)");
        devices.push((Path::new("/dev").join(entry.file_name()), PathBuf::from(file)));
    }
    devices
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{is_ours, mount_points};

    #[test]
    fn only_names_of_tests_below_the_temporary_directory_are_ours() {
        let ours = |temp: &str, path: &str| is_ours(Path::new(temp), Path::new(path));
        assert!(ours("/tmp", "/tmp/dray-e2e-1/mnt"));
        assert!(ours("/tmp/dray-ci-1", "/tmp/dray-ci-1/.tmpA/mnt"));
        assert!(!ours("/tmp", "/tmp/other/mnt"));
        assert!(!ours("/tmp", "/srv/dray-data"));
        assert!(!ours("/tmp/dray-ci-1", "/tmp/dray-e2e-1/mnt"));
    }

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let table = b"36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/loop0 rw\n";
        assert_eq!(mount_points(table), [PathBuf::from("/mnt/a b")]);
    }
}
