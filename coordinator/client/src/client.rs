//! A connection to the coordinator.

use std::sync::Arc;
use std::time::Duration;

use dray_link::{Address, Credentials, Stream};
use dray_wire::messages::*;
use dray_wire::{
    Bytes, Class, Cluster, List, Message, RequestId, Role, SessionId, Status, Text, VERSION, Verb,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::{Error, Result};
use crate::link::{self, Outbound, Reply};

/// For reaching the coordinator.
const CONNECT: Duration = Duration::from_secs(10);

/// Who connects.
#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    pub role: Role,
    /// Zeros for whichever.
    pub cluster: Cluster,
}

impl Options {
    pub fn client(name: &str) -> Self {
        Self { name: name.to_owned(), role: Role::CLIENT, cluster: Cluster::default() }
    }

    pub fn node(name: &str) -> Self {
        Self { role: Role::NODE, ..Self::client(name) }
    }
}

/// A connection. Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    sender: mpsc::Sender<Outbound>,
    /// One for each request that may be without a reply.
    credits: Arc<Semaphore>,
    welcome: Arc<Welcome>,
}

/// What the coordinator sends without being asked: outcomes, orders, grants.
pub type Pushed = mpsc::UnboundedReceiver<Message>;

/// The reply of a kind, or an error.
macro_rules! reply_of {
    ($reply:expr, $kind:ident) => {
        match $reply {
            Message::$kind(it) => Ok(it),
            other => Err(Error::Unexpected(other.kind())),
        }
    };
}

pub(crate) use reply_of;

impl Client {
    /// Connects and says hello.
    pub async fn connect(
        address: &Address,
        credentials: Option<&Credentials>,
        options: &Options,
    ) -> Result<(Self, Pushed)> {
        let (stream, _) = dray_link::connect(address, credentials, CONNECT).await?;
        Self::over(stream, options).await
    }

    /// Says hello over a link that is there already.
    pub async fn over(stream: Stream, options: &Options) -> Result<(Self, Pushed)> {
        let (sender, outbound) = mpsc::channel(1024);
        let (pushes, pushed) = mpsc::unbounded_channel();
        link::start(stream, outbound, pushes);
        let hello = Hello {
            version_from: VERSION,
            version_to: VERSION,
            role: options.role,
            cluster: options.cluster,
            name: Text::new(&options.name),
            ..Hello::default()
        };
        let credits = Arc::new(Semaphore::new(1));
        let greeting = Self { sender, credits, welcome: Arc::default() };
        let welcome = tokio::time::timeout(CONNECT, greeting.ask(hello)).await;
        let welcome = welcome.map_err(|_| Error::Silent(CONNECT))??;
        let welcome = reply_of!(welcome, Welcome)?;
        let credits =
            Arc::new(Semaphore::new((welcome.credits as usize).min(Semaphore::MAX_PERMITS)));
        Ok((Self { credits, welcome: Arc::new(welcome), ..greeting }, pushed))
    }

    /// What the coordinator said of itself.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Asks, and waits for the reply. Whoever stops waiting has asked all the same.
    pub async fn ask(&self, message: impl Into<Message>) -> Result<Message> {
        let credits = Arc::clone(&self.credits);
        let _credit = credits.acquire_owned().await.map_err(|_| Error::Closed)?;
        let (to, answer) = oneshot::channel();
        let outbound = Outbound { message: message.into(), reply: Some(Reply { to, _credit }) };
        self.sender.send(outbound).await.map_err(|_| Error::Closed)?;
        match answer.await.map_err(|_| Error::Closed)?? {
            Message::Refused(it) => Err(Error::Refused {
                reason: it.reason,
                about: it.about,
                retry_after_ms: it.retry_after_ms,
                text: it.text.as_str().to_owned(),
            }),
            reply => Ok(reply),
        }
    }

    /// Says something that is not answered: what a node reports.
    pub async fn tell(&self, message: impl Into<Message>) -> Result<()> {
        let outbound = Outbound { message: message.into(), reply: None };
        self.sender.send(outbound).await.map_err(|_| Error::Closed)
    }

    pub(crate) async fn done(&self, message: impl Into<Message>) -> Result<()> {
        reply_of!(self.ask(message).await?, Done).map(drop)
    }

    /// A new session. An information string longer than 256 bytes is cut.
    pub async fn create_session(&self, info: &[u8]) -> Result<SessionId> {
        self.assume_session(SessionId::NONE, info).await
    }

    /// Takes a session over, under a new id.
    pub async fn assume_session(&self, old: SessionId, info: &[u8]) -> Result<SessionId> {
        let info = &info[..info.len().min(dray_wire::limits::INFO_MAX)];
        let info = Bytes::new(info).unwrap_or_default();
        let create = CreateSession { assume: old, info, ..CreateSession::default() };
        Ok(reply_of!(self.ask(create).await?, SessionCreated)?.session)
    }

    /// Whether the coordinator answers.
    pub async fn ping(&self) -> Result<()> {
        self.done(Ping::default()).await
    }

    pub async fn destroy_session(&self, session: SessionId) -> Result<()> {
        self.done(DestroySession { session }).await
    }

    /// All sessions.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        let (mut all, mut after) = (Vec::new(), SessionId::NONE);
        loop {
            let ask = ListSessions { after, limit: 1000, ..ListSessions::default() };
            let page = reply_of!(self.ask(ask).await?, Sessions)?.sessions.0;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.session;
            all.extend(page);
        }
    }

    /// A session's share of the service; 100 is the usual one.
    pub async fn set_share(&self, session: SessionId, share: u32) -> Result<()> {
        self.done(SetShare { session, share, ..SetShare::default() }).await
    }

    pub async fn set_limit(&self, limit: SetLimit) -> Result<()> {
        self.done(limit).await
    }

    /// Asks for movements; their outcomes are pushed.
    pub async fn submit(
        &self,
        session: SessionId,
        class: Class,
        verb: Verb,
        items: Vec<Item>,
    ) -> Result<Vec<RequestId>> {
        let items = List(items);
        self.submit_as(Submit { session, class, verb, items, ..Submit::default() }).await
    }

    /// The same with everything that can be said.
    pub async fn submit_as(&self, submit: Submit) -> Result<Vec<RequestId>> {
        Ok(reply_of!(self.ask(submit).await?, Accepted)?.requests.0)
    }

    /// Takes requests back; how each stands then.
    pub async fn cancel(
        &self,
        session: SessionId,
        requests: Vec<RequestId>,
    ) -> Result<Vec<Status>> {
        let ask = Cancel { session, requests: List(requests) };
        Ok(reply_of!(self.ask(ask).await?, Cancelled)?.statuses.0)
    }

    pub async fn request(&self, request: RequestId) -> Result<RequestInfo> {
        let page = reply_of!(self.ask(ShowRequest { request }).await?, Requests)?;
        page.requests.0.into_iter().next().ok_or(Error::Unexpected(Requests::KIND))
    }

    /// A page of requests, and where the next begins (0: nowhere).
    pub async fn requests(
        &self,
        session: SessionId,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<RequestInfo>, u64)> {
        let ask = ListRequests { session, after, limit, ..ListRequests::default() };
        let page = reply_of!(self.ask(ask).await?, Requests)?;
        Ok((page.requests.0, page.next))
    }

    pub async fn nodes(&self) -> Result<Vec<NodeInfo>> {
        Ok(reply_of!(self.ask(ListNodes::default()).await?, Nodes)?.nodes.0)
    }
}
