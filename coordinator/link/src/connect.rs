//! Reaching a listener.

use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use crate::address::Address;
use crate::credentials::{Credentials, dialled};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::stream::Stream;
use crate::{names, welcome};

/// Connects, and comes back when the listener has let this end in. The timeout is for everything:
/// looking the host up, connecting, the handshake. A Unix socket needs no credentials.
///
/// Over TLS the identity is that of a node; which one is for the caller to judge.
pub async fn connect(
    address: &Address,
    credentials: Option<&Credentials>,
    timeout: Duration,
) -> Result<(Stream, Identity)> {
    let peer = address.to_string();
    let step = async {
        let (mut stream, identity) = match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.map_err(|cause| Error::io("connect to", &peer, cause))?;
                let identity = local(&stream, &peer)?;
                (Stream::from(stream), identity)
            }
            Address::Tcp { host, port } => {
                let none = || Error::NoCredentials { address: peer.clone() };
                secured((host, *port), credentials.ok_or_else(none)?, &peer).await?
            }
        };
        welcome::hear(&mut stream, &peer).await?;
        Ok((stream, identity))
    };
    welcome::within(timeout, "connect to", &peer, step).await
}

async fn secured(
    (host, port): (&str, u16),
    credentials: &Credentials,
    peer: &str,
) -> Result<(Stream, Identity)> {
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|cause| Error::io("connect to", &peer, cause))?;
    at_once(&stream, peer)?;
    let connected = credentials.connector().connect(dialled(), stream).await;
    let stream = TlsStream::from(connected.map_err(|cause| welcome::explain(peer, cause))?);
    let identity = certified(&stream, peer)?;
    Ok((stream.into(), identity))
}

/// Messages are small and each is waited for.
pub(crate) fn at_once(stream: &TcpStream, peer: &str) -> Result<()> {
    stream.set_nodelay(true).map_err(|cause| Error::io("set up the link to", &peer, cause))
}

/// Who the kernel says is at the other end of a Unix socket.
pub(crate) fn local(stream: &UnixStream, peer: &str) -> Result<Identity> {
    let credentials = stream.peer_cred();
    let it = credentials.map_err(|cause| Error::io("learn who is at", &peer, cause))?;
    Ok(Identity::Local { uid: it.uid(), gid: it.gid(), pid: it.pid() })
}

/// Who the certificate says, which the handshake has verified.
pub(crate) fn certified(stream: &TlsStream<TcpStream>, peer: &str) -> Result<Identity> {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let wrong =
        |why: &dyn ToString| Error::WrongRole { peer: peer.to_owned(), why: why.to_string() };
    let certificate = shown.ok_or_else(|| wrong(&"it showed none"))?;
    let named = names::read(certificate).map_err(|fault| wrong(&fault))?;
    Ok(Identity::named(named.role, named.name))
}
