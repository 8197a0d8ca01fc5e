//! Where a process of dray is reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::SOCKET_PATH;

/// Written `unix:/path` or `tcp:host:port`; the prefix may be left out. Port 0 lets the system
/// choose, for listening.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    Unix(PathBuf),
    /// The host is a name or a numeric address; a version 6 address has no brackets here.
    Tcp {
        host: String,
        port: u16,
    },
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = if let Some(path) = text.strip_prefix("unix:") {
            socket(path)
        } else if text.starts_with('/') {
            socket(text)
        } else {
            network(text.strip_prefix("tcp:").unwrap_or(text))
        };
        parsed.map_err(|why| Error::BadAddress { text: text.to_owned(), why })
    }
}

fn socket(path: &str) -> std::result::Result<Address, &'static str> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("a socket needs an absolute path");
    }
    if path.contains('\0') {
        return Err("a path holds no NUL");
    }
    if path.len() > SOCKET_PATH {
        return Err("the path is too long for a socket");
    }
    Ok(Address::Unix(path.into()))
}

fn network(text: &str) -> std::result::Result<Address, &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("it lacks a port")?;
    // `parse` would take a plus sign.
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits).ok_or("the port is no number up to 65535")?;
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("a bracket is not closed")?;
        inner.parse::<Ipv6Addr>().map_err(|_| "in brackets stands an IPv6 address")?;
        return Ok(Address::Tcp { host: inner.to_owned(), port });
    }
    if host.contains(':') {
        return Err("an IPv6 address needs brackets");
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if host.is_empty() || !host.bytes().all(legal) {
        return Err("the host is neither a name nor an address");
    }
    Ok(Address::Tcp { host: host.to_owned(), port })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}
