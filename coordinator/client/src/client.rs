//! A connection to the coordinator.

use std::sync::Arc;
use std::time::Duration;

use dray_link::{Address, Credentials, Stream};
use dray_wire::messages::*;
use dray_wire::{
    Bytes, Class, Cluster, EventType, FileHandle, List, Message, RequestId, Response, Right, Role,
    SessionId, Status, Text, Token, VERSION, Verb,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::{Error, Result};
use crate::link::{self, Outbound};

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

macro_rules! expect {
    ($reply:expr, $kind:ident) => {
        match $reply {
            Message::$kind(it) => Ok(it),
            other => Err(Error::Unexpected(other.kind())),
        }
    };
}

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
        let welcome = expect!(greeting.ask(hello).await?, Welcome)?;
        let credits = Arc::new(Semaphore::new(welcome.credits as usize));
        Ok((Self { credits, welcome: Arc::new(welcome), ..greeting }, pushed))
    }

    /// What the coordinator said of itself.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Asks, and waits for the reply.
    pub async fn ask(&self, message: impl Into<Message>) -> Result<Message> {
        let _credit = self.credits.acquire().await.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        let outbound = Outbound { message: message.into(), reply: Some(reply) };
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

    async fn done(&self, message: impl Into<Message>) -> Result<()> {
        expect!(self.ask(message).await?, Done).map(drop)
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
        Ok(expect!(self.ask(create).await?, SessionCreated)?.session)
    }

    pub async fn destroy_session(&self, session: SessionId) -> Result<()> {
        self.done(DestroySession { session }).await
    }

    /// All sessions.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        let (mut all, mut after) = (Vec::new(), SessionId::NONE);
        loop {
            let ask = ListSessions { after, limit: 1000, ..ListSessions::default() };
            let page = expect!(self.ask(ask).await?, Sessions)?.sessions.0;
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

    /// Takes these events of a file system for a session; those not named are given up.
    pub async fn set_disposition(
        &self,
        session: SessionId,
        file_system: [u8; 16],
        events: &[EventType],
    ) -> Result<()> {
        let events = events.iter().filter_map(|event| event.bit()).fold(0, |all, bit| all | bit);
        let set = SetDisposition { session, file_system, events, ..SetDisposition::default() };
        self.done(set).await
    }

    /// Something happened; how it was responded to, if it is synchronous.
    pub async fn raise(&self, event: RaiseEvent) -> Result<Option<EventAnswered>> {
        match self.ask(event).await? {
            Message::EventAnswered(answered) => Ok(Some(answered)),
            Message::Done(_) => Ok(None),
            other => Err(Error::Unexpected(other.kind())),
        }
    }

    /// Events of a session; none if none came within the wait.
    pub async fn events(
        &self,
        session: SessionId,
        limit: u32,
        wait: Duration,
    ) -> Result<Vec<Event>> {
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let events = self.ask(GetEvents { session, limit, wait_ms }).await?;
        Ok(expect!(events, Events)?.events.0)
    }

    /// Lets who waits go on, or fail with an errno.
    pub async fn respond(
        &self,
        session: SessionId,
        token: Token,
        outcome: std::result::Result<(), u32>,
    ) -> Result<()> {
        let (response, error) = match outcome {
            Ok(()) => (Response::CONTINUE, 0),
            Err(error) => (Response::ABORT, error),
        };
        self.done(RespondEvent { session, token, response, error, ..RespondEvent::default() }).await
    }

    /// An outstanding event of one's own: what rights are held under.
    pub async fn create_token(&self, session: SessionId) -> Result<Token> {
        let ask = CreateUserEvent { session, data: Bytes::default() };
        Ok(expect!(self.ask(ask).await?, TokenIs)?.token)
    }

    /// Asks for a right, and waits for it.
    pub async fn request_right(
        &self,
        session: SessionId,
        token: Token,
        handle: FileHandle,
        right: Right,
    ) -> Result<()> {
        let wait = 1;
        let ask = RequestRight { session, token, handle, right, wait, ..RequestRight::default() };
        self.done(ask).await
    }

    pub async fn release_right(
        &self,
        session: SessionId,
        token: Token,
        handle: FileHandle,
    ) -> Result<()> {
        self.done(ReleaseRight { session, token, handle }).await
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
        Ok(expect!(self.ask(submit).await?, Accepted)?.requests.0)
    }

    /// Takes requests back; how each stands then.
    pub async fn cancel(
        &self,
        session: SessionId,
        requests: Vec<RequestId>,
    ) -> Result<Vec<Status>> {
        let ask = Cancel { session, requests: List(requests) };
        Ok(expect!(self.ask(ask).await?, Cancelled)?.statuses.0)
    }

    pub async fn request(&self, request: RequestId) -> Result<RequestInfo> {
        let page = expect!(self.ask(ShowRequest { request }).await?, Requests)?;
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
        let page = expect!(self.ask(ask).await?, Requests)?;
        Ok((page.requests.0, page.next))
    }

    pub async fn nodes(&self) -> Result<Vec<NodeInfo>> {
        Ok(expect!(self.ask(ListNodes::default()).await?, Nodes)?.nodes.0)
    }
}
