//! What can go wrong, before and during a run.

use std::io;
use std::path::PathBuf;

use crate::work::Io;

/// Why a run does not begin: nothing was read or written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("--{option} {value}: {why}")]
    Value { option: &'static str, value: String, why: String },
    #[error("{0}")]
    Options(String),
    #[error("{}: {why}", path.display())]
    Target { path: PathBuf, why: String },
    #[error("cannot open {}: {source}{}", path.display(), hint(source))]
    Open { path: PathBuf, source: io::Error },
    #[error("{}: nothing can be written there: {source}", path.display())]
    Output { path: PathBuf, source: io::Error },
}

/// What to do about an error of opening.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ResourceBusy => {
            "; it is mounted, or part of a volume group or array, or another program has claimed \
             it: free it, or give --allow_mounted_write if its content may be lost"
        }
        io::ErrorKind::PermissionDenied => "; run as root, or as a member of its group",
        io::ErrorKind::NotFound => {
            "; one is made for a workload that writes, if --size says how large, in bytes"
        }
        _ => "",
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("{0}")]
    Kernel(io::Error),
    #[error("nothing is there: the device has become smaller")]
    End,
    #[error("{0}")]
    Damage(String),
    #[error("the ring cannot be made or entered: {0}")]
    Ring(io::Error),
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) io: Io,
    pub(crate) cause: Cause,
    /// ns from the start of what is counted.
    pub(crate) after: u64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("core {core}: {source}")]
    Core { core: usize, source: io::Error },
    #[error("cannot keep the state of the verification in {}: {source}", path.display())]
    State { path: PathBuf, source: io::Error },
}
