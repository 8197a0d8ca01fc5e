//! Why a file could not be moved.

use std::path::{Path, PathBuf};

use dray_io::Fault;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Archive(#[from] dray_archive::Error),
    #[error("{} changed while it was being archived", path.display())]
    Changed { path: PathBuf },
    #[error("{} is open or mapped by someone", path.display())]
    InUse { path: PathBuf },
    #[error("{} has no archive copy", path.display())]
    NotArchived { path: PathBuf },
    #[error("{} changed since it was archived", path.display())]
    Dirty { path: PathBuf },
    #[error("{} was written to while parts of it were released", path.display())]
    Overwritten { path: PathBuf },
    #[error("the data of {} is not all on disk", path.display())]
    NotResident { path: PathBuf },
    #[error("{} carries the state attribute of another file and may hold zeros", path.display())]
    ForeignAttribute { path: PathBuf },
    #[error("the state attribute of {} cannot be read: {why}", path.display())]
    BadAttribute { path: PathBuf, why: &'static str },
    #[error("the manifest of {} in the archive belongs to another file", path.display())]
    ForeignManifest { path: PathBuf },
    #[error("{} ended at byte {at} of {expected}", path.display())]
    Shrunk { path: PathBuf, at: u64, expected: u64 },
    #[error("{} holds {room} bytes, {wanted} are needed", path.display())]
    TargetTooSmall { path: PathBuf, room: u64, wanted: u64 },
    #[error("{} and {} are the same", source_path.display(), target.display())]
    SameFile { source_path: PathBuf, target: PathBuf },
    #[error("the copy differs from its source at byte {at} of {}", path.display())]
    BadCopy { path: PathBuf, at: u64 },
    #[error("{} leads to another file than was meant", path.display())]
    AnotherFile { path: PathBuf },
    #[error("{} was moved by somebody else while it was being restored in parts", path.display())]
    Superseded { path: PathBuf },
    #[error("not all parts of {} were restored", path.display())]
    Incomplete { path: PathBuf },
    #[error("the parts of {} cannot be put together: {why}", path.display())]
    BadParts { path: PathBuf, why: &'static str },
    #[error("{} was left as it is: the lease of this node has ended", path.display())]
    LeaseEnded { path: PathBuf },
    #[error("no ring could be made: {0}")]
    NoRing(std::io::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.advice(),
            Self::Archive(error) => error.advice(),
            Self::Changed { .. } => "archive it again when its writer is done",
            Self::InUse { .. } => "try again when it is closed",
            Self::NotArchived { .. } => "archive it first",
            Self::Dirty { .. } => "archive it again",
            Self::Overwritten { .. } => {
                "restore it, if only its time was set; else nothing is lost: get the archived \
                 content with `dray volume extract`, or accept what is there now, holes and all, \
                 with `dray remove --accept-content`"
            }
            Self::NotResident { .. } => "restore it first",
            Self::ForeignAttribute { .. } => {
                "it is a copy of a released file: copy again after restoring the original, or \
                 get the content with `dray volume extract`"
            }
            Self::BadAttribute { .. } | Self::ForeignManifest { .. } => {
                "get the content with `dray volume extract`"
            }
            Self::Shrunk { .. } => "try again when its writer is done",
            Self::TargetTooSmall { .. } => "use a larger target",
            Self::SameFile { .. } => "name two different files",
            Self::BadCopy { .. } => "copy again; if it differs again, distrust the device",
            Self::AnotherFile { .. } => {
                "it was renamed or replaced since it was asked for; ask again"
            }
            Self::Superseded { .. } | Self::Incomplete { .. } => "restore it again",
            Self::BadParts { .. } => "archive it again",
            Self::LeaseEnded { .. } => "another node does it, or a plain restore",
            Self::NoRing(_) => {
                "allow io_uring (sysctl kernel.io_uring_disabled=0) or set `ring = \"auto\"`"
            }
        }
    }

    /// Whether there was no room, in the file or in the archive.
    pub fn is_no_space(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = |fault: &Fault| matches!(fault.cause.kind(), StorageFull | QuotaExceeded);
        match self {
            Self::Fault(fault) | Self::Archive(dray_archive::Error::Fault(fault)) => full(fault),
            _ => false,
        }
    }

    /// Whether the operation may work later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Changed { .. }
                | Self::InUse { .. }
                | Self::Shrunk { .. }
                | Self::Superseded { .. }
                | Self::Incomplete { .. }
        )
    }
}

/// An I/O error that means that someone else has the file.
pub(crate) fn in_use(cause: std::io::Error, path: &Path) -> Error {
    use dray_io::{Context, Operation};
    if cause.kind() == std::io::ErrorKind::WouldBlock {
        return Error::InUse { path: path.to_owned() };
    }
    match Err::<(), _>(cause).during(Operation::Lease, path) {
        Err(fault) => fault.into(),
        Ok(()) => unreachable!("made from an error"),
    }
}
