//! From a read that is blocked to a read that goes on.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use dray_client::wire::messages::{Event, Item, KIND_FILE, Outcome};
use dray_client::wire::{
    Class, EventType, Message, Reason, RequestId, SessionId, Status, Token, Verb,
};
use dray_client::{Client, Error, Pushed, Result};

/// What a reader gets whose file could not be brought back.
pub(crate) const EIO: u32 = 5;

/// Events taken at once.
const EVENTS: u32 = 64;

/// How long one question for events stays open; the next follows at once.
const WAIT: Duration = Duration::from_secs(30);

/// Movements that were asked for, each with the events that wait for it.
type Asked = HashMap<RequestId, Token>;

/// Step 1: the session.
///
/// Sessions outlive connections. One that has our information string was left by an earlier run of
/// this program: assuming it gives it a new id, and everything that belongs to it (events that
/// were not fetched, events that were and have no answer, dispositions) stays with it. The old id
/// names nothing from then on, so that an earlier run that still lives can do no harm.
pub(crate) async fn session(client: &Client, info: &[u8]) -> Result<SessionId> {
    let sessions = client.sessions().await?;
    match sessions.iter().find(|session| session.info.as_slice() == info) {
        Some(left) => client.assume_session(left.session, info).await,
        None => client.create_session(info).await,
    }
}

/// Steps 2 to 5, until the connection ends.
pub(crate) async fn run(
    client: Client,
    mut pushed: Pushed,
    session: SessionId,
    file_system: [u8; 16],
) -> Result<Infallible> {
    let mut asked = Asked::new();

    // Step 2: what an earlier run has fetched and not answered. Those events are outstanding:
    // they are not delivered again, but their tokens are listed, and a token leads to its event.
    // What that run had asked for may be moving still: asking again for the same is moved once.
    for token in client.tokens(session).await? {
        let event = client.find_event(session, token).await?;
        recall(&client, session, &event, &mut asked).await?;
    }

    // Step 3: from now on the reads of this file system are ours. Reads that were blocked before
    // anybody took them are delivered too.
    client.set_disposition(session, file_system, &[EventType::READ]).await?;

    // Step 4: events come by asking for them, and outcomes are pushed. Both are waited for at
    // once, so the question for events is a task of its own: stopping to wait for its answer
    // would lose the events in it.
    let mut events = tokio::task::JoinSet::new();
    loop {
        if events.is_empty() {
            let client = client.clone();
            events.spawn(async move { client.events(session, EVENTS, WAIT).await });
        }
        tokio::select! {
            Some(Ok(fetched)) = events.join_next() => {
                for event in fetched? {
                    recall(&client, session, &event, &mut asked).await?;
                }
            }
            message = pushed.recv() => match message {
                Some(Message::Outcomes(list)) => {
                    for outcome in list.outcomes.0 {
                        respond(&client, session, &outcome, &mut asked).await?;
                    }
                }
                Some(_) => {}
                None => return Err(Error::Closed),
            },
        }
    }
}

/// Has the range of a read restored. A reader waits for it, so the class is the first of all.
async fn recall(
    client: &Client,
    session: SessionId,
    event: &Event,
    asked: &mut Asked,
) -> Result<()> {
    if event.token == Token::NONE {
        // Asynchronous: nobody waits for an answer.
        return Ok(());
    }
    if event.event != EventType::READ {
        // Nothing that we asked for; let it go on.
        return answer(client, session, event.token, Ok(())).await;
    }
    let item = Item {
        handle: event.handle,
        offset: event.offset,
        // 0 is all of the file, as it is in the event.
        length: event.length,
        kind: KIND_FILE,
        // The handle is enough; a name would be a hint where to look first.
        ..Item::default()
    };
    match client.submit(session, Class::BLOCKED, Verb::RESTORE, vec![item]).await {
        Ok(requests) => {
            // One item, one request; its outcome comes to this connection.
            asked.extend(requests.into_iter().map(|request| (request, event.token)));
            Ok(())
        }
        // A limit that will not last would be waited out by an application of more care.
        Err(Error::Refused { .. }) => answer(client, session, event.token, Err(EIO)).await,
        Err(error) => Err(error),
    }
}

/// Step 5: the file is back, or it is not: the reader goes on, or gets an error.
async fn respond(
    client: &Client,
    session: SessionId,
    outcome: &Outcome,
    asked: &mut Asked,
) -> Result<()> {
    let Some(token) = asked.remove(&outcome.request) else { return Ok(()) };
    let verdict = match outcome.status {
        // Nothing to do: it was all there.
        Status::DONE | Status::NOTHING => Ok(()),
        _ => {
            eprintln!("request {}: {}", outcome.request, outcome.text);
            Err(EIO)
        }
    };
    answer(client, session, token, verdict).await
}

async fn answer(
    client: &Client,
    session: SessionId,
    token: Token,
    verdict: std::result::Result<(), u32>,
) -> Result<()> {
    match client.respond(session, token, verdict).await {
        // Somebody else did: the same event was asked for twice, or its reader is gone.
        Err(error) if error.reason() == Some(Reason::ANSWERED) => Ok(()),
        answered => answered,
    }
}
