//! The members of an etcd: whichever answers is asked.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::EtcdSetup;
use crate::error::{Error, Result};
use crate::limits::{ETCD_CONNECT, ETCD_PING};

/// A client for each member rather than one that balances over all: which of them was asked, and
/// for how long, decides how long a coordinator stands still when one is gone.
pub(super) struct Members {
    clients: Vec<(String, Client)>,
    /// The one that answered last.
    at: usize,
    pace: Pace,
}

/// How long members are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For an answer before another member is asked as well.
    pub(super) again: Duration,
    /// For an answer at all.
    pub(super) patience: Duration,
}

/// Requests under way at a member at most, so that those that hang do not become many.
const PENDING: usize = 2;

impl Members {
    /// Connects to none yet.
    pub(super) async fn new(setup: &EtcdSetup, pace: Pace) -> Result<Self> {
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
        Ok(Self { clients, at: 0, pace })
    }

    /// The one that answered last.
    pub(super) fn last(&self) -> Client {
        self.clients[self.at].1.clone()
    }

    /// Asks a member, and the next one as well whenever none has answered for `again`: one may wait
    /// for a leader that is gone, and never say so. What is asked may be done even where no answer
    /// comes, and also more than once.
    pub(super) async fn ask<T>(
        &mut self,
        what: &'static str,
        asked: impl AsyncFn(Client) -> Result<T, etcd_client::Error>,
    ) -> Result<T> {
        let clients = &self.clients;
        let one = async |at: usize| {
            let (endpoint, client) = &clients[at];
            match asked(client.clone()).await {
                Err(cause) if is_full(&cause) => {
                    Ok(Err(Error::QuotaUsed { endpoint: endpoint.clone() }))
                }
                Err(cause) => Err(failed(what, endpoint, &cause)),
                Ok(answer) => Ok(Ok(answer)),
            }
        };
        let (answer, at) = hedged(clients.len(), self.at, &self.pace, one).await;
        let (endpoint, _) = &clients[at];
        self.at = at;
        answer.unwrap_or_else(|error| {
            Err(error.unwrap_or_else(|| {
                let why = format!("{endpoint} has not answered in {:?}", self.pace.patience);
                Error::Unreachable { why }
            }))
        })
    }
}

/// Starts `one` of a place, and of the next when that has failed or `pace.again` has passed, until
/// the first that succeeds, as many failures in a row as there are places, or the end of patience.
/// With the place that answered last; without an error if nothing came back at all.
async fn hedged<T, E>(
    places: usize,
    first: usize,
    pace: &Pace,
    one: impl AsyncFn(usize) -> Result<T, E>,
) -> (Result<T, Option<E>>, usize) {
    let deadline = Instant::now() + pace.patience;
    let placed = async |at: usize| (one(at).await, at);
    let mut under_way = FuturesUnordered::new();
    let (mut at, mut failed, mut error) = (first, 0, None);
    under_way.push(placed(at));
    let mut next = Instant::now() + pace.again;
    loop {
        let start = tokio::select! {
            biased;
            Some((outcome, place)) = under_way.next() => match outcome {
                Ok(answer) => return (Ok(answer), place),
                Err(why) => {
                    error = Some(why);
                    failed += 1;
                    failed < places
                }
            },
            () = sleep_until(next.min(deadline)) => {
                failed = 0;
                under_way.len() < PENDING * places
            }
        };
        let now = Instant::now();
        if now >= deadline || (failed >= places && under_way.is_empty()) {
            return (Err(error), (at + 1) % places);
        }
        if start {
            at = (at + 1) % places;
            under_way.push(placed(at));
            next = now + pace.again;
        } else if now >= next {
            next = now + pace.again;
        }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::{Pace, hedged};

    const PACE: Pace =
        Pace { again: Duration::from_millis(250), patience: Duration::from_millis(2250) };

    /// What each place does: after so many ms it answers or fails, or it never does.
    async fn of_three(
        places: [Option<(u64, bool)>; 3],
    ) -> (Result<usize, Option<usize>>, Vec<usize>) {
        let asked = RefCell::new(Vec::new());
        let one = async |at: usize| {
            asked.borrow_mut().push(at);
            let Some((ms, well)) = places[at] else { std::future::pending().await };
            tokio::time::sleep(Duration::from_millis(ms)).await;
            if well { Ok(at) } else { Err(at) }
        };
        let (outcome, _) = hedged(3, 0, &PACE, one).await;
        (outcome, asked.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn another_is_asked_only_when_the_first_is_slow_or_fails() {
        let began = tokio::time::Instant::now();
        let after = |ms| began.elapsed() == Duration::from_millis(ms);
        assert_eq!(of_three([Some((10, true)), None, None]).await, (Ok(0), vec![0]));
        assert!(after(10));
        assert_eq!(
            of_three([Some((10, false)), Some((10, true)), None]).await,
            (Ok(1), vec![0, 1])
        );
        assert!(after(30));
        assert_eq!(of_three([None, None, Some((10, true))]).await, (Ok(2), vec![0, 1, 2]));
        assert!(after(540));
        // The first answers after all.
        assert_eq!(of_three([Some((300, true)), None, None]).await, (Ok(0), vec![0, 1]));
        assert!(after(840));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_all_and_silence_of_all_end_it() {
        let began = tokio::time::Instant::now();
        let bad = Some((10, false));
        assert_eq!(of_three([bad, bad, bad]).await, (Err(Some(2)), vec![0, 1, 2]));
        assert_eq!(began.elapsed(), Duration::from_millis(30));
        let (outcome, asked) = of_three([None; 3]).await;
        assert_eq!((outcome, asked), (Err(None), vec![0, 1, 2, 0, 1, 2]));
        assert_eq!(began.elapsed(), Duration::from_millis(2280));
        // One that fails at once is asked again while the others are waited for.
        let (outcome, asked) = of_three([bad, None, None]).await;
        assert_eq!(outcome, Err(Some(0)));
        assert!(asked.iter().filter(|at| **at == 0).count() > 1, "{asked:?}");
    }
}
