//! Going on over another connection when the daemon or the coordinator was gone.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use dray_client::{AGAIN, Client, Error, PATIENCE, Pushed};
use dray_wire::messages::{Item, Outcome, Submit};
use dray_wire::{List, Reason, RequestId, SessionId, Status, Text};

use super::{Ask, Tree, closed};
use crate::door::{Door, Way, refused};
use crate::exit::Failure;

/// After which somebody who waits for an answer is told that he does.
const LATE: Duration = Duration::from_secs(5);

/// The connection used at the moment.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) client: Client,
    pub(super) session: SessionId,
    /// Grows with each new connection.
    turn: u64,
}

impl Line {
    pub(super) fn of(door: &Door) -> Self {
        Self { client: door.client.clone(), session: door.session, turn: 0 }
    }
}

/// What came of a submission.
pub(super) struct Accepted {
    pub(super) requests: Vec<RequestId>,
    /// That of the connection.
    pub(super) turn: u64,
    /// It may have been accepted before, with nobody to hear it.
    pub(super) twice: bool,
}

impl Tree<'_> {
    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits, over as many connections as it takes, and however often it is told to ask later.
    /// For that there is the same limit: each of these refusals says that a part of the cluster
    /// does not keep up, and one that has let nothing in for so long is stuck.
    pub(super) fn ask_for(&self, items: Vec<Item>) -> Result<Accepted, Failure> {
        let Ask { verb, class, flags, .. } = self.ask;
        let (items, tenant) = (List(items), rustix::process::getuid().as_raw());
        let submit = Submit { tenant, class, verb, flags, items, ..Submit::default() };
        let (mut since, mut twice, mut said) = (None, false, false);
        loop {
            let Line { client, session, turn } = self.line().clone();
            // It may have been accepted with nobody to hear it. The same movement twice is
            // harmless: the second waits for the first, and finds nothing to do.
            let asked = client.submit_as(Submit { session, ..submit.clone() });
            let error = match self.door.runtime.block_on(self.heard_late(asked)) {
                Ok(requests) => return Ok(Accepted { requests, turn, twice }),
                Err(error) => error,
            };
            twice |= error.is_of_connection();
            let pause = error.retry_after().map_or(AGAIN, |it| it.max(AGAIN));
            let until = *since.get_or_insert_with(Instant::now) + PATIENCE;
            if !self.may_pass(&error) || Instant::now() + pause > until {
                return Err(refused(error));
            }
            if self.locked().ended {
                return Err(closed());
            }
            if error.retry_after().is_some() && !std::mem::replace(&mut said, true) {
                self.reporter.warn(&error.to_string());
            }
            std::thread::sleep(pause);
            if error.reason() == Some(Reason::NO_SESSION) {
                self.find_session(turn);
            }
        }
    }

    /// Waits for an answer, and says so if it takes long.
    async fn heard_late<T>(&self, asked: impl Future<Output = T>) -> T {
        tokio::pin!(asked);
        match tokio::time::timeout(LATE, &mut asked).await {
            Ok(answer) => answer,
            Err(_) => {
                self.reporter.warn(
                    "the coordinator does not answer; it waits for its store, perhaps: see the log \
                     of drayd",
                );
                asked.await
            }
        }
    }

    /// Whether asking again may help.
    fn may_pass(&self, error: &Error) -> bool {
        let there = self.door.way.is_some();
        there && (error.is_of_connection() || error.reason() == Some(Reason::NO_SESSION))
            || error.retry_after().is_some()
    }

    /// A session may have another id now: dray's own service takes it over whenever a coordinator
    /// begins.
    fn find_session(&self, turn: u64) {
        let (Some(way), line) = (&self.door.way, self.line().clone()) else { return };
        let found = line.client.find_session(line.session, way.info.as_bytes());
        if let Ok(Some(session)) = self.door.runtime.block_on(found) {
            let mut line = self.line();
            if line.turn == turn {
                line.session = session;
            }
        }
    }

    /// Asks for the outcomes of requests that were accepted over a connection that has been
    /// replaced before it was known here which they are.
    pub(super) fn watch_missed(&self, requests: &[RequestId], turn: u64) -> Result<(), Failure> {
        let line = self.line().clone();
        if line.turn == turn {
            return Ok(());
        }
        match self.door.runtime.block_on(self.watch(&line.client, requests)) {
            // The next connection begins with all that are open.
            Err(error) if !error.is_of_connection() => Err(refused(error)),
            _ => Ok(()),
        }
    }

    /// Another connection, on which all outcomes will come that have not yet; `None` if there is
    /// none to be had.
    pub(super) async fn again(&self) -> Option<Pushed> {
        let way = self.door.way.as_ref()?;
        self.reporter.warn("the connection to the coordinator has ended; trying to connect again");
        let until = Instant::now() + PATIENCE;
        loop {
            match self.go_on(way).await {
                Ok(Some(pushed)) => return Some(pushed),
                Err(error) if Instant::now() >= until || !passes(&error) => {
                    self.reporter.warn(&format!("{:#}", anyhow!(error)));
                    return None;
                }
                Ok(None) if Instant::now() >= until => return None,
                // A coordinator that has just begun may have no session yet.
                Ok(None) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn go_on(&self, way: &Way) -> Result<Option<Pushed>, Error> {
        let (client, pushed) = way.connect().await?;
        let old = self.line().session;
        let found = client.find_session(old, way.info.as_bytes()).await?;
        let Some(session) = found else { return Ok(None) };
        // Before anything new is submitted: a coordinator without a store may give it the id of
        // something that it has forgotten.
        let open = self.open_but(&HashSet::new());
        self.watch(&client, &open).await?;
        {
            let mut line = self.line();
            *line = Line { client: client.clone(), session, turn: line.turn + 1 };
        }
        // Accepted over the old connection and noted since; later ones see the new turn.
        let late = self.open_but(&open.into_iter().collect());
        self.watch(&client, &late).await?;
        Ok(Some(pushed))
    }

    fn open_but(&self, known: &HashSet<RequestId>) -> Vec<RequestId> {
        self.locked().asked.keys().filter(|it| !known.contains(it)).copied().collect()
    }

    async fn watch(&self, client: &Client, requests: &[RequestId]) -> Result<(), Error> {
        let statuses = client.watch(requests).await?;
        for (request, status) in requests.iter().zip(statuses) {
            if status == Status(0) {
                let text = "the coordinator was started anew and does not know of this request\n\
                            run the command again: what is done is not done twice";
                let (request, status, reason) = (*request, Status::FAILED, Reason::LATER);
                let text = Text::new(text);
                self.hear(Outcome { request, status, reason, text, ..Outcome::default() });
            }
        }
        Ok(())
    }
}

fn passes(error: &Error) -> bool {
    error.is_of_connection() || error.retry_after().is_some()
}
