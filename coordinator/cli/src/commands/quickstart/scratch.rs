//! The working directory: gone when the trial is over, however it ends.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Times that removing is begun again: movers that are still at work may put files back.
const ATTEMPTS: u32 = 20;

pub(super) struct Scratch {
    path: PathBuf,
    keep: bool,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Scratch {
    /// A new directory in `parent`, for the caller alone: it will hold copies of his files.
    pub(super) fn new(parent: &Path, keep: bool) -> anyhow::Result<Self> {
        dray_bench::watch_interrupts()?;
        let path = parent.join(format!("dray-quickstart-{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let over = Arc::new(AtomicBool::new(false));
        let mut scratch = Self { path, keep, over, watcher: None };
        let (path, over) = (scratch.path.clone(), Arc::clone(&scratch.over));
        let watcher = std::thread::Builder::new();
        scratch.watcher = Some(watcher.spawn(move || watch(&path, keep, &over))?);
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Once interrupted, the watcher removes the directory and ends the process.
        if !dray_bench::interrupted() {
            self.over.store(true, Ordering::Relaxed);
        }
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        discard(&self.path, self.keep);
    }
}

/// Ends a step whose findings mean nothing, since the tree is being removed.
pub(super) fn uninterrupted() -> anyhow::Result<()> {
    if dray_bench::interrupted() {
        anyhow::bail!("interrupted");
    }
    Ok(())
}

/// A phase cannot be stopped halfway, so an interrupt ends the process from here.
fn watch(path: &Path, keep: bool, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if dray_bench::interrupted() {
            let what = if keep { "leaving" } else { "removing" };
            eprintln!("dray: interrupted; {what} {}", path.display());
            discard(path, keep);
            std::process::exit(1);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn discard(path: &Path, keep: bool) {
    if keep {
        return;
    }
    if let Err(error) = remove(path) {
        eprintln!("dray: cannot remove {}: {error}", path.display());
    }
}

/// Removes a tree that may hold directories which their modes keep from being changed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if left == 0 => return Err(error),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => open_up(path),
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(LOOK_EVERY);
            }
            other => return other,
        }
    }
}

/// Lets the owner change every directory. What fails here fails again when it is removed.
fn open_up(path: &Path) {
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        let _ = fs::set_permissions(&directory, Permissions::from_mode(0o700));
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_without_write_permission_go_too() {
        let top = std::env::temp_dir().join(format!("dray-remove-{}", std::process::id()));
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join("a/b/file"), b"x").unwrap();
        for closed in ["a/b", "a"] {
            fs::set_permissions(top.join(closed), Permissions::from_mode(0o555)).unwrap();
        }
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
