//! The first byte of a link, and what a failed handshake means.
//!
//! In TLS 1.3 a client is done before the server has seen its certificate, and over a Unix socket
//! it is connected before anybody accepts. Without a word from the listener a refused peer would
//! take its link for good and fail at its first message, far from the reason. So the listener
//! says one byte once it has let the peer in, and `connect` waits for it.

use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::{CertificateError, Error as TlsError, OtherError};

use crate::error::{Error, Result};
use crate::names::RoleFault;
use crate::stream::Stream;

const WELCOME: u8 = b'd';

pub(crate) async fn say(stream: &mut Stream, peer: &str) -> Result<()> {
    let said = async {
        stream.write_all(&[WELCOME]).await?;
        stream.flush().await
    };
    said.await.map_err(|cause| explain(peer, cause))
}

pub(crate) async fn hear(stream: &mut Stream, peer: &str) -> Result<()> {
    match stream.read_u8().await {
        Ok(WELCOME) => Ok(()),
        Ok(_) => Err(explain(peer, IoError::new(ErrorKind::InvalidData, "it is no link of dray"))),
        Err(cause) => Err(explain(peer, cause)),
    }
}

/// Runs a step of making a link, in bounded time.
pub(crate) async fn within<T>(
    after: Duration,
    operation: &'static str,
    at: &str,
    step: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(after, step).await {
        Ok(done) => done,
        Err(_) => Err(Error::Timeout { operation, at: at.to_owned(), after }),
    }
}

/// What an error before the end of the handshake says about the peer.
pub(crate) fn explain(peer: &str, cause: IoError) -> Error {
    let peer = peer.to_owned();
    let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match tls {
        Some(TlsError::InvalidCertificate(CertificateError::Other(OtherError(why))))
            if why.is::<RoleFault>() =>
        {
            Error::WrongRole { peer, why: why.to_string() }
        }
        Some(TlsError::InvalidCertificate(why)) => Error::Untrusted { peer, why: why.to_string() },
        Some(TlsError::NoCertificatesPresented) => {
            Error::Untrusted { peer, why: "it showed no certificate".into() }
        }
        Some(TlsError::AlertReceived(alert)) => {
            Error::Refused { peer, why: format!("TLS alert {alert:?}") }
        }
        // Closing with unread input resets the connection, which may overtake the alert.
        None if closed(cause.kind()) => Error::Refused { peer, why: "it closed the link".into() },
        _ => Error::Handshake { peer, cause },
    }
}

fn closed(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}
