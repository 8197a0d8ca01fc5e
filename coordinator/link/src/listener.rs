//! Being reached.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::address::Address;
use crate::connect::{at_once, certified, local};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::limits::SOCKET_MODE;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::welcome;

#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// Needed for TCP; must be those of a node.
    pub credentials: Option<Credentials>,
    /// Users that may connect to a Unix socket, besides root and the one that listens.
    pub allow_uids: Vec<u32>,
    /// Mode of a Unix socket. Users in `allow_uids` must be able to write to it.
    pub mode: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { credentials: None, allow_uids: Vec::new(), mode: SOCKET_MODE }
    }
}

#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    users: Arc<Users>,
}

enum Kind {
    Unix(Socket),
    Tcp(TcpListener, TlsAcceptor),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(socket) => socket.fmt(f),
            Self::Tcp(listener, _) => listener.fmt(f),
        }
    }
}

impl Listener {
    /// A Unix socket that nobody answers on any more is replaced. Dropping the listener removes
    /// the socket.
    pub async fn bind(address: &Address, options: ListenOptions) -> Result<Self> {
        let users = Users { own: rustix::process::geteuid().as_raw(), allowed: options.allow_uids };
        let kind = match address {
            Address::Unix(path) => Kind::Unix(Socket::bind(path, options.mode).await?),
            Address::Tcp { host, port } => {
                let none = || Error::NoCredentials { address: address.to_string() };
                let acceptor = options.credentials.ok_or_else(none)?.acceptor()?;
                let listener = TcpListener::bind((host.as_str(), *port)).await;
                let listener = listener.map_err(|e| Error::io("listen on", address, e))?;
                Kind::Tcp(listener, acceptor)
            }
        };
        Ok(Self { kind, users: Arc::new(users) })
    }

    /// Where it listens; a port that the system chose is in it.
    pub fn address(&self) -> Result<Address> {
        match &self.kind {
            Kind::Unix(socket) => Ok(Address::Unix(socket.path.clone())),
            Kind::Tcp(listener, _) => {
                let bound = listener.local_addr();
                let bound = bound.map_err(|e| Error::io("look at", &"the listening socket", e))?;
                Ok(Address::Tcp { host: bound.ip().to_string(), port: bound.port() })
            }
        }
    }

    /// Waits for the next peer, of whom nothing is known yet: `Pending::establish` finds out, in a
    /// task of its own, so that a slow peer keeps nobody waiting.
    ///
    /// An error is about this process (too many open files), not about a peer, and may pass: log
    /// it, wait a moment and go on. May be cancelled.
    pub async fn accept(&self) -> Result<Pending> {
        loop {
            let accepted = match &self.kind {
                Kind::Unix(socket) => {
                    let accepted = socket.listener.accept().await;
                    accepted.map(|(stream, _)| self.unix(stream, &socket.path))
                }
                Kind::Tcp(listener, acceptor) => {
                    let accepted = listener.accept().await;
                    accepted.map(|(stream, from)| Pending {
                        from: format!("tcp:{from}"),
                        kind: Waiting::Tcp(stream, acceptor.clone()),
                    })
                }
            };
            match accepted {
                Ok(pending) => return Ok(pending),
                // The peer was gone before we came.
                Err(cause) if cause.kind() == ErrorKind::ConnectionAborted => {}
                Err(cause) => return Err(Error::io("accept a link on", &self.name(), cause)),
            }
        }
    }

    fn unix(&self, stream: UnixStream, path: &Path) -> Pending {
        Pending {
            from: format!("a peer on unix:{}", path.display()),
            kind: Waiting::Unix(stream, self.users.clone(), path.to_owned()),
        }
    }

    fn name(&self) -> String {
        self.address().map_or_else(|_| "a socket".into(), |address| address.to_string())
    }
}

/// A peer that was accepted and has shown nothing.
#[derive(Debug)]
pub struct Pending {
    from: String,
    kind: Waiting,
}

enum Waiting {
    Unix(UnixStream, Arc<Users>, std::path::PathBuf),
    Tcp(TcpStream, TlsAcceptor),
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(stream, ..) => stream.fmt(f),
            Self::Tcp(stream, _) => stream.fmt(f),
        }
    }
}

impl Pending {
    /// Where it comes from, for logs.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Lets the peer in if it may come in. On an error the connection is closed, and the error is
    /// for the log.
    pub async fn establish(self, timeout: Duration) -> Result<(Stream, Identity)> {
        let Self { from, kind } = self;
        let step = async {
            let (mut stream, identity) = match kind {
                Waiting::Unix(stream, users, path) => {
                    let identity = local(&stream, &from)?;
                    users.check(&identity, &path)?;
                    (Stream::from(stream), identity)
                }
                Waiting::Tcp(stream, acceptor) => {
                    at_once(&stream, &from)?;
                    let accepted = acceptor.accept(stream).await;
                    let accepted = accepted.map_err(|cause| welcome::explain(&from, cause))?;
                    let stream = TlsStream::from(accepted);
                    let identity = certified(&stream, &from)?;
                    (stream.into(), identity)
                }
            };
            welcome::say(&mut stream, &from).await?;
            Ok((stream, identity))
        };
        welcome::within(timeout, "let in", &from, step).await
    }
}

/// Users of this machine that may connect.
#[derive(Debug)]
pub(crate) struct Users {
    pub(crate) own: u32,
    pub(crate) allowed: Vec<u32>,
}

impl Users {
    /// Root could become anyone, and we ourselves are no stranger.
    pub(crate) fn may(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own || self.allowed.contains(&uid)
    }

    fn check(&self, identity: &Identity, path: &Path) -> Result<()> {
        match *identity {
            Identity::Local { uid, pid, .. } if !self.may(uid) => {
                Err(Error::ForeignUser { uid, pid, path: path.to_owned() })
            }
            _ => Ok(()),
        }
    }
}
