//! Why a link could not be made.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::NAME_CHARS;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("`{text}` is no address: {why}")]
    BadAddress { text: String, why: &'static str },
    #[error("cannot {operation} {at}: {cause}")]
    Io { operation: &'static str, at: String, cause: std::io::Error },
    #[error("could not {operation} {at} within {after:?}")]
    Timeout { operation: &'static str, at: String, after: Duration },

    #[error("another process listens on {}", path.display())]
    InUse { path: PathBuf },
    #[error("{} is there and is no socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("user {uid} may not use {}", path.display())]
    ForeignUser { uid: u32, pid: Option<i32>, path: PathBuf },

    #[error("{address} is reached over TLS and no certificate was given")]
    NoCredentials { address: String },
    #[error("the certificate in use is that of client {name}, and only a node may listen")]
    ClientListens { name: String },
    #[error("{}: {why}", path.display())]
    BadCredentials { path: PathBuf, why: String },
    #[error("others than its owner have access to the key {} (mode {mode:03o})", path.display())]
    OpenKey { path: PathBuf, mode: u32 },

    #[error("{peer} is not trusted: {why}")]
    Untrusted { peer: String, why: String },
    #[error("{peer} has the wrong certificate: {why}")]
    WrongRole { peer: String, why: String },
    #[error("{peer} refused this end: {why}")]
    Refused { peer: String, why: String },
    #[error("{peer} does not speak as dray does: {cause}")]
    Handshake { peer: String, cause: std::io::Error },

    #[error("`{name}` cannot name a node or client")]
    BadName { name: String },
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    #[error("cannot {operation} in {}: {cause}", path.display())]
    Certificate { operation: &'static str, path: PathBuf, cause: rcgen::Error },
}

impl Error {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => "write unix:/PATH or tcp:HOST:PORT",
            Self::Io { cause, .. } => io_advice(cause.kind()),
            Self::Timeout { .. } => "check that the other end runs and that no firewall drops it",
            Self::InUse { .. } => "stop the other process, or configure another address",
            Self::NotASocket { .. } => "move the file away, or configure another address",
            Self::ForeignUser { .. } => "add the user to the users allowed in the configuration",
            Self::NoCredentials { .. } => "configure ca.pem, cert.pem and key.pem",
            Self::ClientListens { .. } => "issue a certificate for a node, and configure that",
            Self::BadCredentials { .. } => "issue the certificate anew, or correct the path",
            Self::OpenKey { .. } => {
                "make it private with `chmod 600`; if others read it, issue anew"
            }
            Self::Untrusted { .. } => {
                "both ends need certificates of the same authority that have not expired; compare \
                 their ca.pem and their clocks"
            }
            Self::WrongRole { .. } => "issue a certificate for the role that the other end plays",
            Self::Refused { .. } => "the log of the other end says why",
            Self::Handshake { .. } => "check that the address and port are those of a dray",
            Self::BadName { .. } => {
                const { assert!(NAME_CHARS == 63) };
                "use 1 to 63 of a-z, 0-9 and -, with a letter or digit first and last"
            }
            Self::Exists { .. } => "nothing was overwritten: move it away, or name another place",
            Self::Certificate { .. } => "check that ca.pem and ca.key are whole, or restore them",
        }
    }

    pub(crate) fn io(operation: &'static str, at: &impl ToString, cause: std::io::Error) -> Self {
        Self::Io { operation, at: at.to_string(), cause }
    }
}

fn io_advice(kind: std::io::ErrorKind) -> &'static str {
    use std::io::ErrorKind::{
        AddrInUse, AddrNotAvailable, ConnectionRefused, NotFound, PermissionDenied,
    };
    match kind {
        NotFound => "check the path; if it is a socket, start the daemon",
        ConnectionRefused => "start the daemon, or correct the address",
        PermissionDenied => "run as a user that may, or change the permissions",
        AddrInUse => "stop the other process, or configure another address",
        AddrNotAvailable => "configure an address that this machine has",
        _ => "check the path or address, and the system's log",
    }
}
