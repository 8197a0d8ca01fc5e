//! Loop devices and mounts that end with their value, also when a test panics; and what to do
//! where they cannot be had.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Notes that a test cannot run.
pub fn skip(name: &str, reason: &str) {
    let line = format!("SKIPPED: {name}: {reason}");
    println!("{line}");
    if let Some(file) = std::env::var_os("DRAY_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        let mut file = file.expect("the list of skipped tests can be written");
        // In one piece: other tests append at the same time.
        file.write_all(format!("{line}\n").as_bytes())
            .expect("the list of skipped tests can be written");
    }
}

/// Whether the test can go on; notes it if not.
pub fn need_root(name: &str) -> bool {
    if !is_root() {
        skip(name, "not root");
    }
    is_root()
}

pub fn need_tool(name: &str, program: &str) -> bool {
    if !have(program) {
        skip(name, &format!("no {program}"));
    }
    have(program)
}

/// Whether a program is installed.
pub fn have(program: &str) -> bool {
    folders().iter().any(|folder| folder.join(program).is_file())
}

fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Where an unprivileged shell does not look.
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
}

/// Runs a program that has to work; what it printed, trimmed.
#[track_caller]
pub fn tool<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let found = folders().into_iter().map(|folder| folder.join(program)).find(|it| it.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| program.into()));
    command.args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A file attached as block device.
#[derive(Debug)]
pub struct LoopDevice {
    pub path: PathBuf,
    pub file: PathBuf,
}

impl LoopDevice {
    /// Of a new sparse file.
    pub fn new(file: &Path, bytes: u64) -> Self {
        fs::File::create_new(file)
            .and_then(|made| made.set_len(bytes))
            .expect("a file for a loop device can be made");
        Self::attach(file)
    }

    pub fn attach(file: &Path) -> Self {
        let arguments = [OsStr::new("--find"), OsStr::new("--show"), file.as_os_str()];
        // Two tests may find the same free device; the loser tries again.
        for _ in 0..20 {
            let output = Command::new("losetup").args(arguments).output();
            let output = output.expect("losetup can be run");
            if output.status.success() {
                let path = String::from_utf8_lossy(&output.stdout).trim().into();
                return Self { path, file: file.to_owned() };
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let path = tool("losetup", arguments).into();
        Self { path, file: file.to_owned() }
    }

    /// With a file system.
    #[track_caller]
    pub fn format(self, kind: &str) -> Self {
        let quiet = if kind == "btrfs" || kind == "xfs" { "-qf" } else { "-qF" };
        tool(&format!("mkfs.{kind}"), [OsStr::new(quiet), self.path.as_os_str()]);
        self
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mount {
    pub path: PathBuf,
    /// Detached after the unmount.
    pub device: LoopDevice,
}

impl Mount {
    #[track_caller]
    pub fn new(device: LoopDevice, path: &Path) -> Self {
        fs::create_dir_all(path).expect("a mount point can be made");
        tool("mount", [device.path.as_os_str(), path.as_os_str()]);
        Self { path: path.to_owned(), device }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

/// A file system in memory with so many bytes.
#[derive(Debug)]
pub struct Tmpfs {
    pub path: PathBuf,
}

impl Tmpfs {
    #[track_caller]
    pub fn new(path: &Path, bytes: u64) -> Self {
        fs::create_dir_all(path).expect("a mount point can be made");
        let size = format!("size={bytes}");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        tool("mount", options.map(OsStr::new).into_iter().chain([path.as_os_str()]));
        Self { path: path.to_owned() }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

fn unmount(path: &Path) {
    let plain = Command::new("umount").arg(path).output();
    if !plain.is_ok_and(|output| output.status.success()) {
        // Something still has a file there; it goes when that ends.
        let _ = Command::new("umount").arg("--lazy").arg(path).status();
    }
}
