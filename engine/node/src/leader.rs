//! Who coordinates, as far as this node knows, and the way there.

use std::sync::Arc;
use std::time::Duration;

use dray_client::{Client, Options, Pushed, Stream};
use dray_link::{Address, Credentials, Identity};
use dray_server::Server;
use dray_wire::Epoch;
use tokio::sync::watch;

/// For reaching the coordinator on behalf of a program.
const CONNECT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) enum Leader {
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "where nobody is elected"))]
    Nobody {
        why: String,
    },
    /// Whoever has taken it out lets it go before waiting for anything: with the last one the
    /// coordinator ends, which takes a while.
    Here(Arc<Server>, Epoch),
    There(Address),
}

/// Somebody who coordinates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Here(Epoch),
    There(Address),
}

impl Leader {
    fn who(&self) -> Option<Who> {
        match self {
            Self::Nobody { .. } => None,
            Self::Here(_, epoch) => Some(Who::Here(*epoch)),
            Self::There(address) => Some(Who::There(address.clone())),
        }
    }
}

/// The way to whoever coordinates.
#[derive(Clone)]
pub(crate) struct Way {
    leader: watch::Receiver<Leader>,
    credentials: Option<Credentials>,
}

/// What is at its end.
enum End {
    Link(Stream),
    Address(Address),
}

impl Way {
    pub(crate) fn new(leader: watch::Receiver<Leader>, credentials: Option<Credentials>) -> Self {
        Self { leader, credentials }
    }

    /// Where it leads now, or why nowhere.
    fn end(&self, identity: Identity) -> Result<(End, Who), String> {
        let leader = self.leader.borrow();
        let closed = |error: &dyn std::error::Error| error.to_string();
        let who = leader.who();
        let end = match &*leader {
            Leader::Nobody { why } => return Err(why.clone()),
            Leader::There(address) => End::Address(address.clone()),
            Leader::Here(server, _) => {
                let link = server.attach_for(identity).map_err(|error| closed(&error))?;
                let link = tokio::net::UnixStream::from_std(link);
                End::Link(Stream::from(link.map_err(|error| closed(&error))?))
            }
        };
        Ok((end, who.expect("somebody does")))
    }

    /// Connects this process.
    pub(crate) async fn connect(
        &self,
        options: &Options,
    ) -> dray_client::Result<(Client, Pushed, Who)> {
        let (end, who) = self.end(Identity::Same).map_err(|_| dray_client::Error::Closed)?;
        let credentials = self.credentials.as_ref();
        let connecting = async {
            match end {
                End::Link(link) => Client::over(link, options).await,
                End::Address(address) => Client::connect(&address, credentials, options).await,
            }
        };
        let (client, pushed) = tokio::select! {
            connected = connecting => connected?,
            () = self.replaced(&who) => return Err(dray_client::Error::Closed),
        };
        Ok((client, pushed, who))
    }

    /// A link for somebody who was let in here; none, with the reason, if nobody can be reached.
    pub(crate) async fn link(&self, identity: Identity) -> Result<(Stream, Who), String> {
        let (end, who) = self.end(identity)?;
        let address = match end {
            End::Link(link) => return Ok((link, who)),
            End::Address(address) => address,
        };
        let far = tokio::select! {
            far = dray_link::connect(&address, self.credentials.as_ref(), CONNECT) => far,
            () = self.replaced(&who) => return Err("another coordinates now".to_owned()),
        };
        Ok((far.map_err(|error| error.to_string())?.0, who))
    }

    /// Comes back when somebody coordinates.
    pub(crate) async fn somebody(&self) {
        let mut leader = self.leader.clone();
        if leader.wait_for(|leader| leader.who().is_some()).await.is_err() {
            // It stays as it is.
            std::future::pending().await
        }
    }

    /// Comes back when this node coordinates.
    pub(crate) async fn here(&self) {
        let mut leader = self.leader.clone();
        let here = |leader: &Leader| matches!(leader, Leader::Here(..));
        if leader.wait_for(here).await.is_err() {
            std::future::pending().await
        }
    }

    /// Comes back when another coordinates: the connection to whoever did before may go on being
    /// silent for long. That nobody is known to may say something of the way to etcd only.
    pub(crate) async fn replaced(&self, who: &Who) {
        let mut leader = self.leader.clone();
        let other = |leader: &Leader| leader.who().is_some_and(|it| it != *who);
        if leader.wait_for(other).await.is_err() {
            std::future::pending().await
        }
    }
}
