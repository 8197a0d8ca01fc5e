//! Who is at the other end.

use std::fmt;

use crate::names::Role;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A process of this machine, as the kernel says. The process may have passed its socket on,
    /// so `pid` is for logs only.
    Local { uid: u32, gid: u32, pid: Option<i32> },
    /// A machine of the cluster, by its certificate.
    Node { name: String },
    /// Somebody who may talk to the cluster, by their certificate.
    Client { name: String },
    /// This process: the other end of `Stream::pair`.
    Same,
}

impl Identity {
    pub(crate) fn named(role: Role, name: String) -> Self {
        match role {
            Role::Node => Self::Node { name },
            Role::Client => Self::Client { name },
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { uid, pid: Some(pid), .. } => write!(f, "user {uid} (process {pid})"),
            Self::Local { uid, .. } => write!(f, "user {uid}"),
            Self::Node { name } => write!(f, "node {name}"),
            Self::Client { name } => write!(f, "client {name}"),
            Self::Same => write!(f, "this process"),
        }
    }
}
