//! A failed operation, with where it failed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What was being done. Printed in errors, counted in fault injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Open,
    Create,
    Stat,
    List,
    Read,
    Write,
    Allocate,
    Punch,
    Truncate,
    Flush,
    FlushFileSystem,
    ReadAttribute,
    WriteAttribute,
    Lease,
    MapExtents,
    SetMetadata,
    Rename,
    Unlink,
    Lock,
    Register,
    Submit,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Allocate => "allocate",
            Self::Punch => "punch",
            Self::Truncate => "truncate",
            Self::Flush => "flush",
            Self::FlushFileSystem => "flush file system of",
            Self::ReadAttribute => "read attributes of",
            Self::WriteAttribute => "write attribute of",
            Self::Lease => "take lease on",
            Self::MapExtents => "map extents of",
            Self::SetMetadata => "set metadata of",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
            Self::Lock => "lock",
            Self::Register => "register buffers for",
            Self::Submit => "submit I/O for",
        })
    }
}

/// An operation that the system refused or failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}{}: {cause}", path.display(), Offset(*at))]
pub struct Fault {
    pub operation: Operation,
    pub path: PathBuf,
    /// Byte offset, where the operation had one.
    pub at: Option<u64>,
    #[source]
    pub cause: io::Error,
}

struct Offset(Option<u64>);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |at| write!(f, " at byte {at}"))
    }
}

impl Fault {
    /// What the user can do about it, by the kind of error.
    pub fn advice(&self) -> &'static str {
        use io::ErrorKind as K;
        match self.cause.kind() {
            K::StorageFull | K::QuotaExceeded => {
                "free space there, or give the archive more room; nothing was lost, run it again"
            }
            K::PermissionDenied => "run as the owner or as root, or change the permissions",
            K::NotFound => "it was removed meanwhile, or the path is wrong",
            K::ReadOnlyFilesystem => "mount the file system read-write",
            K::ResourceBusy | K::WouldBlock => "someone is using it; try again later",
            _ if self.cause.raw_os_error() == Some(EIO) => {
                "the device failed; check the kernel log, and run it again when it is well"
            }
            _ => "see the cause; nothing was lost, run it again when it is mended",
        }
    }
}

/// `EIO` on Linux, all architectures.
pub const EIO: i32 = 5;

/// Adds operation, path and offset to a bare I/O error.
pub trait Context<T> {
    fn during(self, operation: Operation, path: &Path) -> Result<T, Fault>;
    fn during_at(self, operation: Operation, path: &Path, at: u64) -> Result<T, Fault>;
}

impl<T> Context<T> for io::Result<T> {
    fn during(self, operation: Operation, path: &Path) -> Result<T, Fault> {
        self.map_err(|cause| Fault { operation, path: path.to_owned(), at: None, cause })
    }

    fn during_at(self, operation: Operation, path: &Path, at: u64) -> Result<T, Fault> {
        self.map_err(|cause| Fault { operation, path: path.to_owned(), at: Some(at), cause })
    }
}
