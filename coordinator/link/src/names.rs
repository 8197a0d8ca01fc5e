//! Names of nodes and clients, and how certificates carry them.
//!
//! A certificate of dray has exactly one DNS name that ends in `.dray`: `node.<name>.dray` or
//! `client.<name>.dray`. It is no host name and is never looked up; the network address of a
//! node may change and be shared, its name is what the others know it by.

use std::fmt;

use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::error::{Error, Result};
use crate::limits::NAME_CHARS;

const DOMAIN: &str = ".dray";

/// What the holder of a certificate may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A machine of the cluster: it listens, and connects to others.
    Node,
    /// Connects only.
    Client,
}

impl Role {
    fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A hyphen at an end is no label of a DNS name: webpki would refuse every certificate with it.
fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=NAME_CHARS).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Refuses what cannot name a node or client.
pub fn check_name(name: &str) -> Result<()> {
    if is_name(name) { Ok(()) } else { Err(Error::BadName { name: name.to_owned() }) }
}

/// The DNS name in a certificate for `name`.
pub(crate) fn in_certificate(role: Role, name: &str) -> String {
    format!("{}.{name}{DOMAIN}", role.label())
}

fn parse(dns: &str) -> Option<(Role, &str)> {
    let (label, name) = dns.strip_suffix(DOMAIN)?.split_once('.')?;
    let role = [Role::Node, Role::Client].into_iter().find(|role| role.label() == label)?;
    is_name(name).then_some((role, name))
}

/// Why a certificate tells nobody's role, or the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RoleFault {
    #[error("it cannot be read")]
    Unreadable,
    #[error("it names neither a node nor a client of dray")]
    Nameless,
    #[error("it has more than one name in .dray")]
    Ambiguous,
    #[error("it is that of client {0}, not of a node")]
    NotANode(String),
}

/// The role and name in a certificate. What it says is worth nothing until the chain is verified.
pub(crate) fn read(certificate: &CertificateDer<'_>) -> std::result::Result<Named, RoleFault> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| RoleFault::Unreadable)?;
    let mut ours = parsed.valid_dns_names().filter(|dns| dns.ends_with(DOMAIN));
    let dns = ours.next().ok_or(RoleFault::Nameless)?;
    if ours.next().is_some() {
        return Err(RoleFault::Ambiguous);
    }
    let (role, name) = parse(dns).ok_or(RoleFault::Nameless)?;
    Ok(Named { role, name: name.to_owned() })
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) role: Role,
    pub(crate) name: String,
}
