//! Events, and rights on files.

use std::time::Duration;

use dray_wire::messages::*;
use dray_wire::{
    Bytes, EventType, FileHandle, Message, Response, Right, SessionId, Token,
    limits::EVENT_DATA_MAX,
};

use crate::client::{Client, reply_of};
use crate::error::{Error, Result};

/// What comes with a user event.
pub type Data = Bytes<EVENT_DATA_MAX>;

impl Client {
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
        Ok(reply_of!(events, Events)?.events.0)
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
        self.create_token_with(session, Bytes::default()).await
    }

    /// The same, with data by which it is known again.
    pub async fn create_token_with(&self, session: SessionId, data: Data) -> Result<Token> {
        let ask = CreateUserEvent { session, data };
        Ok(reply_of!(self.ask(ask).await?, TokenIs)?.token)
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

    /// The same right, exclusive. Waits for others who share it.
    pub async fn upgrade_right(
        &self,
        session: SessionId,
        token: Token,
        handle: FileHandle,
    ) -> Result<()> {
        let wait = 1;
        self.done(UpgradeRight { session, token, handle, wait, ..UpgradeRight::default() }).await
    }

    /// An exclusive right is shared from now on.
    pub async fn downgrade_right(
        &self,
        session: SessionId,
        token: Token,
        handle: FileHandle,
    ) -> Result<()> {
        self.done(DowngradeRight { session, token, handle }).await
    }

    pub async fn query_right(
        &self,
        session: SessionId,
        token: Token,
        handle: FileHandle,
    ) -> Result<Right> {
        Ok(reply_of!(self.ask(QueryRight { session, token, handle }).await?, RightIs)?.right)
    }

    /// File systems whose events a session takes, and which, in bits.
    pub async fn dispositions(&self, session: SessionId) -> Result<Vec<Disposition>> {
        let listed = self.ask(ListDispositions { session }).await?;
        Ok(reply_of!(listed, Dispositions)?.dispositions.0)
    }

    /// The response will take long.
    pub async fn pend(&self, session: SessionId, token: Token, delay: Duration) -> Result<()> {
        let delay_ms = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        self.done(PendEvent { session, token, delay_ms, ..PendEvent::default() }).await
    }

    /// Gives an outstanding event to another session.
    pub async fn move_event(
        &self,
        session: SessionId,
        token: Token,
        target: SessionId,
    ) -> Result<Token> {
        Ok(reply_of!(self.ask(MoveEvent { session, token, target }).await?, TokenIs)?.token)
    }

    /// Sends something to a session, and waits for its response.
    pub async fn send_and_wait(&self, session: SessionId, data: Data) -> Result<EventAnswered> {
        let send = SendMessage { session, wait: 1, data, ..SendMessage::default() };
        reply_of!(self.ask(send).await?, EventAnswered)
    }

    /// Sends something to a session.
    pub async fn send(&self, session: SessionId, data: Data) -> Result<()> {
        self.done(SendMessage { session, wait: 0, data, ..SendMessage::default() }).await
    }

    /// All outstanding events of a session.
    pub async fn tokens(&self, session: SessionId) -> Result<Vec<Token>> {
        let (mut all, mut after) = (Vec::new(), Token::NONE);
        loop {
            let ask = ListTokens { session, after, limit: 1000, ..ListTokens::default() };
            let page = reply_of!(self.ask(ask).await?, Tokens)?.tokens.0;
            let Some(last) = page.last() else { return Ok(all) };
            after = *last;
            all.extend(page);
        }
    }

    /// An outstanding event.
    pub async fn find_event(&self, session: SessionId, token: Token) -> Result<Event> {
        let found = reply_of!(self.ask(FindEvent { session, token }).await?, Events)?;
        found.events.0.into_iter().next().ok_or(Error::Unexpected(Events::KIND))
    }
}
