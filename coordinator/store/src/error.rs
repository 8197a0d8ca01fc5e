//! Why something could not be kept.

use std::path::{Path, PathBuf};

use crate::limits::BLOCK_BYTES;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The format that this crate reads and writes.
pub(crate) const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {operation} {}: {cause}", path.display())]
    Io { operation: &'static str, path: PathBuf, cause: std::io::Error },
    #[error("there is no space left for {}", path.display())]
    Full { path: PathBuf },
    #[error("{} cannot be written: {cause}", path.display())]
    ReadOnly { path: PathBuf, cause: std::io::Error },
    #[error("another process has the store in {} open", path.display())]
    Locked { path: PathBuf },
    #[error("{} is not the store of a coordinator: {why}", path.display())]
    NotAStore { path: PathBuf, why: String },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },

    #[error("{at} is the store of cluster {}, not of {}", Hex(*found), Hex(*expected))]
    OtherCluster { at: String, found: [u8; 16], expected: [u8; 16] },
    #[error("{at} was written by format {found}; this dray reads {FORMAT}")]
    Version { at: String, found: u32 },

    #[error("block {number} is damaged: {why}")]
    BadBlock { number: u64, why: &'static str },
    #[error("block {number} is missing")]
    Missing { number: u64 },
    #[error("block {number} is not understood: {why}")]
    Content { number: u64, why: String },
    #[error("block {number} has {bytes} bytes, {BLOCK_BYTES} allowed")]
    TooLarge { number: u64, bytes: usize },
    #[error("{why}")]
    Unreachable { why: String },
    #[error("the quota of the etcd at {endpoint} is used up")]
    QuotaUsed { endpoint: String },
    #[error("cannot start a thread for the store: {0}")]
    Runtime(std::io::Error),
    #[error("another coordinator leads: nothing more is kept for this one")]
    Deposed,
    #[error("block {expected} comes next, not {found}")]
    Order { expected: u64, found: u64 },
}

impl Error {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        const ANEW: &str = "restore it from a copy, or move it away to begin anew: requests that \
                            were queued are then forgotten, files and archives are as they were";
        match self {
            Self::Io { .. } => "see the system's log for errors of the disk",
            Self::Full { .. } => "make space on its file system; the coordinator then goes on",
            Self::ReadOnly { .. } => {
                "mount the file system for writing and give the user of the daemon the directory"
            }
            Self::Locked { .. } => {
                "stop the other daemon, or give each a directory of its own in the configuration"
            }
            Self::NotAStore { .. } => {
                "correct the path in the configuration, or move the file away"
            }
            Self::OtherCluster { .. } => {
                "correct the path in the configuration, or move the store away to begin anew"
            }
            Self::Version { .. } => {
                "run the version of dray that wrote it, or one that reads both; or let that finish \
                 all requests, and move the store away"
            }
            Self::Damaged { .. }
            | Self::BadBlock { .. }
            | Self::Missing { .. }
            | Self::Content { .. } => ANEW,
            Self::Unreachable { .. } => {
                "see that most of its members run, and that the configuration names them; what \
                 waits goes on by itself"
            }
            Self::QuotaUsed { .. } => {
                "raise --quota-backend-bytes, compact and defragment it, and disarm its alarm \
                 (etcdctl defrag; etcdctl alarm disarm); what waits then goes on by itself"
            }
            Self::Runtime(_) => "see the limits on processes and open files",
            Self::Deposed => "it ends by itself; clients and nodes find the other",
            Self::TooLarge { .. } | Self::Order { .. } => "this is an error in dray: report it",
        }
    }

    /// Nothing will ever be kept any more: another has taken over.
    pub fn is_deposed(&self) -> bool {
        matches!(self, Self::Deposed)
    }

    /// From an error of the operating system.
    pub(crate) fn io(operation: &'static str, path: &Path, cause: std::io::Error) -> Self {
        use std::io::ErrorKind::{
            InvalidData, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        let path = path.to_owned();
        match cause.kind() {
            StorageFull | QuotaExceeded => Self::Full { path },
            PermissionDenied | ReadOnlyFilesystem => Self::ReadOnly { path, cause },
            InvalidData => Self::NotAStore { path, why: cause.to_string() },
            _ => Self::Io { operation, path, cause },
        }
    }
}

/// Sixteen bytes as people read them.
pub(crate) struct Hex(pub [u8; 16]);

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
