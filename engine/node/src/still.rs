//! The right on files that programs are about to cut to nothing: nobody moves them meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dray_client::Client;
use dray_wire::messages::Event;
use dray_wire::{Bytes, EventType, Reason, Right, SessionId, Token};
use tokio::sync::{Semaphore, oneshot};

/// How long a right is kept at most: longer than a source watches the program.
const KEPT: Duration = Duration::from_secs(15);
/// How long what a service before this one has kept is kept on: whoever was let go then has been on
/// his way since, while another daemon came to serve.
const KEPT_ON: Duration = Duration::from_secs(1);
/// Data of the tokens that such rights are held under, by which a later service knows them.
const MARK: &[u8] = b"dray: kept still";
/// Rights waited for at once: each takes a credit until it is there, and some are for others.
const AT_ONCE: usize = dray_wire::limits::CREDITS as usize / 2;

/// Whether an event asks for no data, but that its file is not moved.
fn is_asked(event: &Event) -> bool {
    event.event == EventType::TRUNCATE && event.length == 0
}

/// The files of a session.
pub(crate) struct Stills {
    /// How to end it, by the token of the event.
    ends: HashMap<Token, oneshot::Sender<()>>,
    turns: Turns,
}

/// Turns to ask for a right, of all that share a connection.
pub(crate) type Turns = Arc<Semaphore>;

pub(crate) fn turns() -> Turns {
    Arc::new(Semaphore::new(AT_ONCE))
}

impl Stills {
    pub(crate) fn new(turns: Turns) -> Self {
        Self { ends: HashMap::new(), turns }
    }

    /// Serves an event that asks for it, or tells that it is over. False if it is another one.
    //= docs/wire.md#w-44
    pub(crate) fn serve(&mut self, client: &Client, session: SessionId, event: &Event) -> bool {
        if event.event == EventType::CLOSE {
            let token = event.data.as_slice().try_into().map(u64::from_le_bytes);
            if let Some(end) = token.ok().and_then(|token| self.ends.remove(&Token(token))) {
                // It may have ended by itself.
                let _ = end.send(());
            }
            return true;
        }
        if !is_asked(event) {
            return false;
        }
        self.ends.retain(|_, end| !end.is_closed());
        let (end, ended) = oneshot::channel();
        self.ends.insert(event.token, end);
        let (client, event) = (client.clone(), event.clone());
        let turns = Arc::clone(&self.turns);
        tokio::spawn(async move { hold(&client, session, &event, &turns, ended).await });
        true
    }
}

async fn hold(
    client: &Client,
    session: SessionId,
    event: &Event,
    turns: &Semaphore,
    ended: oneshot::Receiver<()>,
) {
    let asked = async {
        let _turn = turns.acquire().await;
        let mark = Bytes::new(MARK.to_vec()).expect("a few bytes");
        let own = client.create_token_with(session, mark).await?;
        let right = client.request_right(session, own, event.handle, Right::EXCL).await;
        if right.is_err() {
            client.respond(session, own, Ok(())).await?;
        }
        right.map(|()| own)
    };
    let own = match asked.await {
        Ok(own) => own,
        Err(error) => {
            tracing::warn!(%session, token = %event.token, %error, "a file is not kept still");
            let _ = client.respond(session, event.token, Err(libc::EAGAIN.unsigned_abs())).await;
            return;
        }
    };
    if let Err(error) = client.respond(session, event.token, Ok(())).await {
        tracing::debug!(%session, token = %event.token, %error, "nobody waits to cut a file");
    } else {
        let _ = tokio::time::timeout(KEPT, ended).await;
    }
    give_back(client, session, own).await;
}

/// Has given back what a service before this one holds, when whoever was let go has cut his file.
/// Called before the first event is served.
pub(crate) async fn give_back_left(client: &Client, session: SessionId) {
    let own = loop {
        match left(client, session).await {
            Ok(own) => break own,
            Err(dray_client::Error::Closed) => return,
            Err(error) => {
                tracing::warn!(%session, %error, "cannot tell which rights are left");
                tokio::time::sleep(KEPT_ON).await;
            }
        }
    };
    let client = client.clone();
    tokio::spawn(async move {
        tokio::time::sleep(KEPT_ON).await;
        for token in own {
            give_back(&client, session, token).await;
        }
    });
}

async fn left(client: &Client, session: SessionId) -> dray_client::Result<Vec<Token>> {
    let mut own = Vec::new();
    for token in client.tokens(session).await? {
        let event = match client.find_event(session, token).await {
            // It has been answered since.
            Err(error) if error.reason() == Some(Reason::NO_TOKEN) => continue,
            event => event?,
        };
        if event.event == EventType::USER && event.data.as_slice() == MARK {
            own.push(token);
        }
    }
    Ok(own)
}

async fn give_back(client: &Client, session: SessionId, own: Token) {
    if let Err(error) = client.respond(session, own, Ok(())).await {
        tracing::warn!(%session, token = %own, %error, "a right is not given back");
    }
}
