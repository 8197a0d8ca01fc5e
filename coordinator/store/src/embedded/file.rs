//! The files of a store: making, locking and opening them.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use redb::Database;

use crate::embedded::tables::{self, Meta};
use crate::error::{Error, FORMAT, Result};
use crate::limits::CACHE_BYTES;
use crate::span::Span;

pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join("journal.redb")
}

/// The right to the directory, as long as the file is held. On a file of its own: the database
/// takes a lock on its file, too, but lets go of it when it is opened anew.
pub(super) fn lock(directory: &Path) -> Result<File> {
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |cause| Error::io(operation, &path, cause)
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory).map_err(failed("make", directory))?;
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(Error::io("lock", &path, cause)),
    }
}

pub(super) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|cause| Error::io("look for", path, cause))
}

/// Makes an empty store. It has its name only when it is whole.
pub(super) fn create(directory: &Path, cluster: [u8; 16]) -> Result<()> {
    let (new, path) = (directory.join("journal.new"), path(directory));
    let io = |operation| {
        let path = path.clone();
        move |cause| Error::io(operation, &path, cause)
    };
    // What is left of one that could not be finished.
    if let Err(cause) = std::fs::remove_file(&new)
        && cause.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Error::io("replace", &new, cause));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&new).map_err(io("make"))?;
    let database =
        builder().create(&new).map_err(|cause| tables::failed("make", &new)(cause.into()))?;
    let meta = Meta { format: FORMAT, cluster, epoch: 0 };
    tables::commit(&database, &meta, &[], Span::EMPTY, Span::EMPTY)
        .map_err(tables::failed("make", &new))?;
    drop(database);
    File::open(&new).and_then(|file| file.sync_all()).map_err(io("make"))?;
    std::fs::rename(&new, &path).map_err(io("make"))?;
    File::open(directory).and_then(|file| file.sync_all()).map_err(io("make"))
}

/// With `check` every page is compared with its sum; without it, one that is damaged may make the
/// database panic.
pub(super) fn open(path: &Path, check: bool) -> Result<Database> {
    if !check {
        forget_cached(path)?;
    }
    let mut builder = builder();
    builder.set_check_integrity_on_open(check);
    builder.open(path).map_err(|cause| tables::failed("open", path)(cause.into()))
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// After an error of writing back the kernel takes cached pages for clean that never got to the
/// disk. What is read from them must not be taken for durable.
fn forget_cached(path: &Path) -> Result<()> {
    let failed = |cause| Error::io("open", path, cause);
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    // Pages that are still dirty would stay; this error, if any, has been told by the commit.
    let _ = file.sync_all();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
        .map_err(|cause| failed(cause.into()))
}
