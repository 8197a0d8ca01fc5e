//! A Unix socket to listen on.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::error::{Error, Result};
use crate::files;

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    /// Held as long as the socket is ours.
    _lock: File,
}

impl Socket {
    /// The socket appears under its name with its mode and already listening, so one that does not
    /// answer there is a dead one's.
    pub(crate) async fn bind(path: &Path, mode: u32) -> Result<Self> {
        let lock = lock(path)?;
        free(path).await?;
        let new = beside(path, ".new");
        remove(&new)?;
        let failed = |operation| move |cause| Error::io(operation, &path.display(), cause);
        // Until its mode is set others may connect to it here if the umask lets them; who may
        // talk is decided by their uid all the same.
        let listener = UnixListener::bind(&new).map_err(failed("listen on"))?;
        std::fs::set_permissions(&new, Permissions::from_mode(mode))
            .map_err(failed("set the mode of"))?;
        std::fs::rename(&new, path).map_err(failed("listen on"))?;
        Ok(Self { listener, path: path.to_owned(), _lock: lock })
    }
}

impl Drop for Socket {
    /// A client then sees at once that nobody listens. Nothing is lost if it fails.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Between finding a dead socket and replacing it another process might do the same, and one of
/// the two would listen where nobody comes. The lock file stays: removing it would be a race too.
fn lock(path: &Path) -> Result<File> {
    let name = beside(path, ".lock");
    let failed = |cause| Error::io("lock", &name.display(), cause);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(files::PRIVATE)
        .open(&name)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

/// Refuses a name that is in use: by a process that answers, or for something else than a socket.
async fn free(path: &Path) -> Result<()> {
    let failed = |cause| Error::io("look at", &path.display(), cause);
    match path.symlink_metadata() {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(failed(cause)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(Error::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(cause) if cause.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        // A full backlog, too, is somebody's.
        Ok(_) => Err(Error::InUse { path: path.to_owned() }),
        Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
            Err(Error::InUse { path: path.to_owned() })
        }
        Err(cause) => Err(failed(cause)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove", &path.display(), cause))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
