//! dray's own HSM service, a DM application like any other: a session per managed file system, and
//! for each blocked reader a restore of what he wants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dray_client::{Client, Options, Pushed, Stream};
use dray_io::Range;
use dray_server::Server;
use dray_wire::messages::{Event, Item, KIND_FILE, Outcome, READ_NEXT, SILENT, Submit};
use dray_wire::{
    Class, EventType, List, Message, Reason, RequestId, SessionId, Status, Token, Verb,
};
use tokio::sync::mpsc;

use crate::ahead::{Ahead, Plan};
use crate::config::Follow;
use crate::places::Places;
use crate::still::{self, Stills};

/// Events fetched at once, and how long one waits for the first.
const EVENTS: u32 = 256;
const WAIT: Duration = Duration::from_secs(30);
/// After a refusal, before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// What a blocked reader gets when his data cannot be had; when it may be had later; and when there
/// is no room for it: `docs/holder.md`.
const EIO: u32 = 5;
const EAGAIN: u32 = 11;
const ENOSPC: u32 = 28;

fn errno_of(reason: Reason) -> u32 {
    match reason {
        Reason::NO_SPACE => ENOSPC,
        Reason::LATER | Reason::BUSY | Reason::LEASE_ENDED | Reason::NO_NODE => EAGAIN,
        _ => EIO,
    }
}

/// Events that mean that somebody waits for data, or is done with what he had waited for.
const SERVED: [EventType; 4] =
    [EventType::READ, EventType::WRITE, EventType::TRUNCATE, EventType::CLOSE];

/// What the session of a managed file system is called.
pub fn session_info(file_system: &str) -> String {
    format!("dray {file_system}")
}

/// An event whose restore has been asked for.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    session: SessionId,
    token: Token,
}

/// Serves a coordinator of this process until that is gone.
pub(crate) async fn serve(server: Arc<Server>, places: Places) {
    let served = async {
        let link = server.attach().map_err(|_| dray_client::Error::Closed)?;
        // The server ends when nobody needs it any more, and with it this.
        drop(server);
        let link = tokio::net::UnixStream::from_std(link);
        let link = Stream::from(link.map_err(|_| dray_client::Error::Closed)?);
        let (client, pushed) = Client::over(link, &Options::client("service")).await?;
        run(client, pushed, &places).await
    };
    if let Err(error) = served.await {
        tracing::warn!(%error, "the HSM service has ended");
    }
}

/// Serves until the coordinator is gone.
async fn run(client: Client, pushed: Pushed, places: &Places) -> dray_client::Result<()> {
    let mut by_name: BTreeMap<&str, Vec<[u8; 16]>> = BTreeMap::new();
    for managed in &places.managed {
        let own = by_name.entry(&managed.name).or_default();
        if !own.contains(&managed.file_system) {
            own.push(managed.file_system);
        }
    }
    let (sender, asked) = mpsc::unbounded_channel();
    let turns = still::turns();
    for (name, file_systems) in by_name {
        let session = open(&client, name, &file_systems).await?;
        let what = (name.to_owned(), file_systems);
        let (asked, turns) = (sender.clone(), Arc::clone(&turns));
        tokio::spawn(fetch(client.clone(), session, what, places.clone(), asked, turns));
    }
    respond(client, pushed, asked).await
}

/// Makes sure of the session of a managed file system, and that its events go there.
async fn open(
    client: &Client,
    name: &str,
    file_systems: &[[u8; 16]],
) -> dray_client::Result<SessionId> {
    let session = session_of(client, name).await?;
    for file_system in file_systems {
        client.set_disposition(session, *file_system, &SERVED).await?;
    }
    Ok(session)
}

/// The session with this name. One that is there is that of a service before this one, which has
/// ended with its coordinator; it keeps its id, by which commands know it.
async fn session_of(client: &Client, name: &str) -> dray_client::Result<SessionId> {
    let info = session_info(name);
    let sessions = client.sessions().await?;
    let old = sessions.iter().find(|it| it.info.as_slice() == info.as_bytes());
    match old {
        Some(old) => Ok(old.session),
        None => client.create_session(info.as_bytes()).await,
    }
}

/// Bytes of the file, if the source of the event has said so.
//= docs/wire.md#w-39
fn size_in(event: &Event) -> Option<u64> {
    event.data.as_slice().try_into().map(u64::from_le_bytes).ok()
}

fn item_of(event: &Event, range: Range) -> Item {
    let (offset, length) = (range.start, range.len());
    Item { handle: event.handle, offset, length, kind: KIND_FILE, ..Item::default() }
}

/// Has what nobody waits for yet be restored. If that fails, the reader waits for it later.
async fn follow_up(client: &Client, session: SessionId, flags: u16, items: Vec<Item>) {
    if items.is_empty() {
        return;
    }
    let (class, verb, flags) = (Class::INTERACTIVE, Verb::RESTORE, SILENT | flags);
    let items = List(items);
    let submit = Submit { session, class, verb, flags, items, ..Submit::default() };
    if let Err(error) = client.submit_as(submit).await {
        tracing::debug!(%session, %error, "nothing is restored ahead");
    }
}

/// Turns events into restores.
async fn fetch(
    client: Client,
    mut session: SessionId,
    (name, file_systems): (String, Vec<[u8; 16]>),
    places: Places,
    asked: mpsc::UnboundedSender<(RequestId, Waiting)>,
    turns: still::Turns,
) {
    let (mut ahead, mut stills) = (Ahead::default(), Stills::new(turns));
    still::give_back_left(&client, session).await;
    loop {
        let events = match client.events(session, EVENTS, WAIT).await {
            Ok(events) => events,
            Err(dray_client::Error::Closed) => return,
            Err(error) => {
                tracing::warn!(%session, %error, "cannot fetch events");
                tokio::time::sleep(AGAIN).await;
                // Somebody may have taken the session over: readers still wait for dray.
                match open(&client, &name, &file_systems).await {
                    Ok(taken) => session = taken,
                    Err(error) => tracing::error!(name, %error, "no session for events"),
                }
                continue;
            }
        };
        let events: Vec<Event> = events
            .into_iter()
            .filter(|it| !stills.serve(&client, session, it) && it.token != Token::NONE)
            .collect();
        if events.is_empty() {
            continue;
        }
        let (mut now, mut next, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for event in &events {
            let wanted = Range::new(event.offset, event.offset.saturating_add(event.length));
            let follow = places.follow(event.handle.file_system);
            let plan = match (event.event, size_in(event)) {
                (EventType::READ, Some(size)) => ahead.plan(follow, event.handle, wanted, size),
                _ => Plan { now: wanted, then: Vec::new() },
            };
            now.push(item_of(event, plan.now));
            // The rest of a file may be more than memory holds.
            let then = if follow == Follow::Readahead { &mut next } else { &mut rest };
            then.extend(plan.then.into_iter().map(|range| item_of(event, range)));
        }
        let submitted = client.submit(session, Class::BLOCKED, Verb::RESTORE, now).await;
        follow_up(&client, session, READ_NEXT, next).await;
        follow_up(&client, session, 0, rest).await;
        match submitted {
            Ok(requests) => {
                for (request, event) in requests.into_iter().zip(events) {
                    // The other end lives as long as the connection.
                    let _ = asked.send((request, Waiting { session, token: event.token }));
                }
            }
            Err(error) => {
                tracing::error!(%session, %error, "cannot order restores");
                for event in events {
                    let _ = client.respond(session, event.token, Err(EAGAIN)).await;
                }
            }
        }
    }
}

/// Lets readers go when their data is there.
async fn respond(
    client: Client,
    mut pushed: Pushed,
    mut asked: mpsc::UnboundedReceiver<(RequestId, Waiting)>,
) -> dray_client::Result<()> {
    let mut waiting: HashMap<RequestId, Waiting> = HashMap::new();
    // An outcome may come before it is known whose it is.
    let mut early: HashMap<RequestId, Outcome> = HashMap::new();
    loop {
        tokio::select! {
            one = asked.recv() => {
                let Some((request, who)) = one else { continue };
                match early.remove(&request) {
                    Some(outcome) => answer(&client, who, &outcome),
                    None => drop(waiting.insert(request, who)),
                }
            }
            message = pushed.recv() => {
                let Some(message) = message else { return Err(dray_client::Error::Closed) };
                let Message::Outcomes(outcomes) = message else { continue };
                for outcome in outcomes.outcomes.0 {
                    match waiting.remove(&outcome.request) {
                        Some(who) => answer(&client, who, &outcome),
                        None => drop(early.insert(outcome.request, outcome)),
                    }
                }
            }
        }
    }
}

fn answer(client: &Client, who: Waiting, outcome: &Outcome) {
    let good = matches!(outcome.status, Status::DONE | Status::NOTHING);
    if !good {
        tracing::warn!(token = %who.token, reason = %outcome.reason, "{}", outcome.text);
    }
    let (client, reason) = (client.clone(), outcome.reason);
    tokio::spawn(async move {
        let response = if good { Ok(()) } else { Err(errno_of(reason)) };
        if let Err(error) = client.respond(who.session, who.token, response).await {
            tracing::warn!(token = %who.token, %error, "cannot respond");
        }
    });
}
