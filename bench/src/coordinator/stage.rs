//! The coordinator that is measured, and the ways to it.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dray_server::{Address, ListenOptions, Server};
use dray_wire::messages::{Cancel, CreateSession, ListSessions, Submit};
use dray_wire::{List, Message, RequestId, Role, SessionId};

use super::link::Link;
use super::mover::Mover;
use super::options::CoordinatorOptions;
use super::pins::Pins;
use super::place::Place;

/// One coordinator with its nodes. They end with it.
pub(super) struct Stage {
    // Before the nodes, which go when their connections end.
    server: Option<Server>,
    path: Option<PathBuf>,
    pub(super) movers: Vec<Mover>,
    place: Place,
}

impl Stage {
    pub(super) fn start(pins: &Pins, options: &CoordinatorOptions) -> Result<Self> {
        let (place, path) = (Place::new(options)?, options.listen.clone());
        let mut stage = Self { server: None, path, movers: Vec::new(), place };
        stage.begin(pins)?;
        Ok(stage)
    }

    fn begin(&mut self, pins: &Pins) -> Result<()> {
        let server = pins.first(|| self.place.start())?;
        if let Some(path) = &self.path {
            let address = Address::Unix(std::path::absolute(path)?);
            server.listen(address, ListenOptions::default())?;
        }
        self.server = Some(server);
        Ok(())
    }

    pub(super) fn is_durable(&self) -> bool {
        self.place.is_durable()
    }

    /// Ends the coordinator and starts another in the same place; a link to it with the same
    /// session, and the time from its start until it has answered.
    pub(super) fn restart(
        &mut self,
        pins: &Pins,
        old: &Control,
        name: &str,
    ) -> Result<(Control, Duration)> {
        self.server = None;
        let began = Instant::now();
        self.begin(pins)?;
        let link = Link::open(self.connect()?, Role::CLIENT, name)?;
        Ok((Control { link, session: old.session }, began.elapsed()))
    }

    fn connect(&self) -> Result<UnixStream> {
        let Some(path) = &self.path else {
            let server = self.server.as_ref().context("the coordinator has ended")?;
            return Ok(server.attach()?);
        };
        let mut stream = UnixStream::connect(path).context("connect to the coordinator")?;
        // A listener says one byte to whom it has let in.
        let mut welcome = [0];
        stream.read_exact(&mut welcome).context("wait to be let in")?;
        Ok(stream)
    }

    /// A link of a client with a session of its own.
    pub(super) fn client(&self, name: &str) -> Result<Control> {
        let mut link = Link::open(self.connect()?, Role::CLIENT, name)?;
        match link.ask(&CreateSession::default().into())? {
            Message::SessionCreated(it) => Ok(Control { link, session: it.session }),
            other => bail!("no session but {}", other.kind()),
        }
    }

    /// Lets nodes join; each takes so long for an order that is not urgent.
    pub(super) fn join(&mut self, nodes: u32, order_time: Duration) -> Result<()> {
        for number in 0..nodes {
            let name = format!("null-{number}");
            let link = Link::open(self.connect()?, Role::NODE, &name)?;
            self.movers.push(Mover::join(link, order_time)?);
        }
        Ok(())
    }

    /// Ends the coordinator, and hears whether its nodes ended well.
    pub(super) fn end(mut self) -> Result<()> {
        self.server = None;
        self.movers.drain(..).try_for_each(Mover::end)
    }
}

/// A client that asks one thing at a time.
pub(super) struct Control {
    pub(super) link: Link,
    pub(super) session: SessionId,
}

impl Control {
    pub(super) fn submit(&mut self, submit: Submit) -> Result<Vec<RequestId>> {
        accepted(self.link.ask(&submit.into())?)
    }

    /// Requests of the session that have not ended.
    pub(super) fn queued(&mut self) -> Result<u32> {
        let after = SessionId(self.session.0 - 1);
        let ask = ListSessions { after, limit: 1, ..ListSessions::default() };
        match self.link.ask(&ask.into())? {
            Message::Sessions(it) => Ok(it.sessions.0.first().context("the session")?.queued),
            other => bail!("no session but {}", other.kind()),
        }
    }

    pub(super) fn cancel(&mut self, requests: Vec<RequestId>) -> Result<()> {
        let count = requests.len();
        let cancel = Cancel { session: self.session, requests: List(requests) };
        match self.link.ask(&cancel.into())? {
            Message::Cancelled(it) => {
                ensure!(it.statuses.0.len() == count, "not all were cancelled");
                Ok(())
            }
            other => bail!("not cancelled but {}", other.kind()),
        }
    }
}

pub(super) fn accepted(message: Message) -> Result<Vec<RequestId>> {
    match message {
        Message::Accepted(it) => Ok(it.requests.0),
        other => bail!("not accepted but {}", other.kind()),
    }
}
