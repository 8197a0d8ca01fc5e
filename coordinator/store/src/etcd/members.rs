//! The members of an etcd: whichever answers is asked.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::time::timeout;

use super::EtcdSetup;
use crate::error::{Error, Result};
use crate::limits::{ETCD_CONNECT, ETCD_PING};

/// A client for each member rather than one that balances over all: which of them was asked, and
/// for how long, decides how long a coordinator stands still when one is gone.
pub(super) struct Members {
    clients: Vec<(String, Client)>,
    /// The one that answered last.
    at: usize,
    /// For an answer of one member.
    patience: Duration,
}

impl Members {
    /// Connects to none yet.
    pub(super) async fn new(setup: &EtcdSetup, patience: Duration) -> Result<Self> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(ETCD_CONNECT)
            .with_keep_alive(ETCD_PING, ETCD_PING)
            .with_keep_alive_while_idle(true)
            // Of one that is cut off from the others it is known at once that it cannot help.
            .with_require_leader(true);
        if let Some(tls) = &setup.tls {
            let identity = Identity::from_pem(&tls.cert, &tls.key);
            let authority = Certificate::from_pem(&tls.ca);
            options =
                options.with_tls(TlsOptions::new().ca_certificate(authority).identity(identity));
        }
        let mut clients = Vec::new();
        for endpoint in &setup.endpoints {
            let client = Client::connect([endpoint], Some(options.clone())).await;
            let client = client.map_err(|cause| failed("connect to", endpoint, &cause))?;
            clients.push((endpoint.clone(), client));
        }
        if clients.is_empty() {
            return Err(Error::Unreachable { why: "no endpoint is named".to_owned() });
        }
        Ok(Self { clients, at: 0, patience })
    }

    /// The one that answered last.
    pub(super) fn last(&self) -> Client {
        self.clients[self.at].1.clone()
    }

    /// Asks one member after the other, each at most once. What is asked may be done even where
    /// no answer comes, and then be asked again of the next.
    pub(super) async fn ask<T>(
        &mut self,
        what: &'static str,
        asked: impl AsyncFn(Client) -> Result<T, etcd_client::Error>,
    ) -> Result<T> {
        let mut error = None;
        for _ in 0..self.clients.len() {
            let (endpoint, client) = &self.clients[self.at];
            error = match timeout(self.patience, asked(client.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(cause)) if is_full(&cause) => {
                    return Err(Error::QuotaUsed { endpoint: endpoint.clone() });
                }
                Ok(Err(cause)) => Some(failed(what, endpoint, &cause)),
                Err(_) => {
                    let why = format!("{endpoint} has not answered in {:?}", self.patience);
                    Some(Error::Unreachable { why })
                }
            };
            self.at = (self.at + 1) % self.clients.len();
        }
        Err(error.expect("there is a member"))
    }
}

fn failed(what: &'static str, endpoint: &str, cause: &etcd_client::Error) -> Error {
    let mut why = format!("cannot {what} {endpoint}: {cause}");
    // Its own texts say no more than that something failed.
    let mut under = match cause {
        etcd_client::Error::TransportError(inner) => std::error::Error::source(inner),
        etcd_client::Error::GRpcStatus(inner) => std::error::Error::source(inner),
        _ => None,
    };
    while let Some(error) = under {
        why = format!("{why}: {error}");
        under = error.source();
    }
    Error::Unreachable { why }
}

/// etcd's `ErrNoSpace` (api/v3rpc/rpctypes/error.go): gRPC's *ResourceExhausted*.
fn is_full(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status)
        if status.message().contains("database space exceeded"))
}
