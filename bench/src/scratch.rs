use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The directory that holds every file a benchmark makes; gone when dropped, unless kept.
pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// Refuses to start where `need` bytes are not free.
    pub(crate) fn new(parent: &Path, need: u64, keep: bool) -> Result<Self> {
        let at = || parent.display().to_string();
        let stat = rustix::fs::statvfs(parent).with_context(at)?;
        let free = stat.f_bavail * stat.f_frsize;
        let mib = |bytes: u64| bytes >> 20;
        ensure!(free >= need, "{}: {} MiB free, {} needed", at(), mib(free), mib(need));
        let parent = parent.canonicalize().with_context(at)?;
        let mut dir =
            tempfile::Builder::new().prefix("dray-bench-").tempdir_in(parent).with_context(at)?;
        dir.disable_cleanup(keep);
        Ok(Self { dir })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes a file or a whole directory; absence is success.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
