//! Going on when one coordinator is gone and another comes.

use std::time::{Duration, Instant};

use dray_link::{Address, Credentials};
use dray_wire::limits::ITEMS_MAX;
use dray_wire::messages::{SessionInfo, Watch};
use dray_wire::{List, Message, RequestId, SessionId, Status};

use crate::client::{Client, Options, Pushed, reply_of};
use crate::error::{Error, Result};

/// Between two attempts. Little beside the five seconds in which a dead coordinator is replaced,
/// and no burden on a daemon.
pub const AGAIN: Duration = Duration::from_millis(200);

/// Without any coordinator. Elections and restarts of daemons are over in seconds, a restart of a
/// machine in a minute or two; what takes longer is for somebody to see to.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// For one attempt: a coordinator that is there lets a client in within milliseconds, one that has
/// just died never.
const ATTEMPT: Duration = Duration::from_secs(3);

impl Client {
    /// Connects, trying every [`AGAIN`] for as long as the cause may pass, [`PATIENCE`] at most.
    ///
    /// What a program does then: find its session ([`find_session`](Self::find_session)), and
    /// [`watch`](Self::watch) the requests that it has not heard of.
    pub async fn connect_again(
        address: &Address,
        credentials: Option<&Credentials>,
        options: &Options,
    ) -> Result<(Self, Pushed)> {
        let until = Instant::now() + PATIENCE;
        loop {
            match Self::attempt(address, credentials, options).await {
                Err(error) if error.is_of_connection() && Instant::now() < until => {
                    tokio::time::sleep(AGAIN).await;
                }
                other => return other,
            }
        }
    }

    /// Connects in little time or not at all.
    pub async fn attempt(
        address: &Address,
        credentials: Option<&Credentials>,
        options: &Options,
    ) -> Result<(Self, Pushed)> {
        let connected =
            tokio::time::timeout(ATTEMPT, Self::connect(address, credentials, options)).await;
        connected.unwrap_or(Err(Error::Silent(ATTEMPT)))
    }

    /// The session with this id, if it is there still; else the one with this information string.
    pub async fn find_session(&self, id: SessionId, info: &[u8]) -> Result<Option<SessionId>> {
        let sessions = self.sessions().await?;
        let find = |own: &dyn Fn(&&SessionInfo) -> bool| sessions.iter().find(own);
        let found = find(&|it| it.session == id).or_else(|| find(&|it| it.info.as_slice() == info));
        Ok(found.map(|it| it.session))
    }

    /// Has the outcomes of requests pushed to this connection from now on; how each stands, in
    /// their order, 0 if it is not known (any more).
    ///
    /// Requests outlive connections and, where the coordinator has a store, coordinators. Outcomes
    /// of those that have ended are pushed once more, so that nobody has to look at the statuses
    /// but for zeros. Such a request was forgotten: by a coordinator without a store, or because
    /// it has ended and 65,536 others did since. Asking for the movement again does no harm: it is
    /// found done, or is done now.
    pub async fn watch(&self, requests: &[RequestId]) -> Result<Vec<Status>> {
        let mut all = Vec::with_capacity(requests.len());
        for some in requests.chunks(ITEMS_MAX) {
            let ask = Watch { requests: List(some.to_vec()) };
            all.extend(reply_of!(self.ask(ask).await?, Watched)?.statuses.0);
        }
        Ok(all)
    }
}
