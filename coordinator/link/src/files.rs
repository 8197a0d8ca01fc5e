//! Certificates and keys as files.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};
use crate::limits::PEM_BYTES;

/// Everybody may read a certificate: each handshake shows it.
pub(crate) const PUBLIC: u32 = 0o644;
/// A key is its owner's.
pub(crate) const PRIVATE: u32 = 0o600;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    content(path, &open(path)?)
}

/// Refuses a key that others have access to, as ssh does: who could read it may be anyone now.
pub(crate) fn read_private(path: &Path) -> Result<Vec<u8>> {
    let file = open(path)?;
    // Of the open file, so that what was looked at is what is read.
    let metadata = file.metadata().map_err(|cause| Error::io("look at", &path.display(), cause))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::OpenKey { path: path.to_owned(), mode });
    }
    content(path, &file)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|cause| Error::io("open", &path.display(), cause))
}

fn content(path: &Path, file: &File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(PEM_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|cause| Error::io("read", &path.display(), cause))?;
    Ok(bytes)
}

/// A folder for keys; one that is there stays as it is.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| Error::io("make", &path.display(), cause))
}

/// Writes a file that must not exist, durably. It has its mode from the start: there is no moment
/// in which a key could be read.
pub(crate) fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => Error::io("make", &path.display(), cause),
    })?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(|cause| Error::io("write", &path.display(), cause))
}

/// Makes the names of new files durable.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    open(path)?.sync_all().map_err(|cause| Error::io("sync", &path.display(), cause))
}

/// Refuses if one of the files is there, before anything is written.
pub(crate) fn none_exist<const N: usize>(folder: &Path, names: [&str; N]) -> Result<()> {
    for path in names.map(|name| folder.join(name)) {
        // A dangling link counts: it is somebody's intention.
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path });
        }
    }
    Ok(())
}
