//! One peer: frames in, frames out.

use std::rc::Rc;
use std::time::{Duration, Instant};

use dray_core::Peer;
use dray_link::Stream;
use dray_wire::messages::OrderDone;
use dray_wire::{Deframer, List, Message, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::hub::{Hub, Outgoing};
use crate::limits::{FAREWELL, GREETING, PAUSE, READ, RESULTS, TURN};

/// Serves a peer until one side has enough.
pub(crate) async fn serve(hub: Rc<Hub>, stream: Stream, peer: Peer) {
    let Some((connection, outgoing)) = hub.connected(peer) else {
        tracing::warn!("too many connections: one more is closed");
        return;
    };
    let (from, to) = tokio::io::split(stream);
    let sender = tokio::task::spawn_local(send(to, Rc::clone(&outgoing)));
    receive(&hub, connection, from, &outgoing).await;
    hub.disconnected(connection);
    outgoing.close();
    // Its refusal should reach the peer, if he listens.
    if tokio::time::timeout(FAREWELL, sender).await.is_err() {
        tracing::debug!(connection, "a peer did not read its last messages");
    }
}

async fn receive(hub: &Hub, connection: u32, mut from: ReadHalf<Stream>, outgoing: &Outgoing) {
    let mut deframer = Deframer::default();
    let mut greeted = false;
    while !outgoing.is_closing() {
        let buffer = deframer.buffer();
        buffer.reserve(READ);
        let limit = if greeted { Duration::MAX } else { GREETING };
        let read = tokio::select! {
            read = from.read_buf(buffer) => read,
            () = closing(outgoing) => return,
            () = tokio::time::sleep(limit), if !greeted => return,
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) => greeted = true,
        }
        let turn = Turn { hub, outgoing, began: Instant::now() };
        if !take_frames(turn, connection, &mut deframer).await {
            return;
        }
        hub.pump();
        while outgoing.waiting() > PAUSE && !outgoing.is_closing() {
            outgoing.drained.notified().await;
        }
    }
}

async fn closing(outgoing: &Outgoing) {
    while !outgoing.is_closing() {
        outgoing.drained.notified().await;
    }
}

/// The time that one connection has before others have theirs.
struct Turn<'a> {
    hub: &'a Hub,
    outgoing: &'a Outgoing,
    began: Instant,
}

impl Turn<'_> {
    /// Lets others go first if this one had its time; false if the connection ended meanwhile.
    async fn go_on(&mut self) -> bool {
        if self.began.elapsed() >= TURN {
            self.hub.pump();
            tokio::task::yield_now().await;
            self.began = Instant::now();
        }
        !self.outgoing.is_closing()
    }

    /// Hands the results of an order to the coordinator, in parts if they are many: a blocked
    /// reader must not wait for a thousand small files.
    async fn report(&mut self, connection: u32, request: u64, done: OrderDone) {
        let OrderDone { epoch, order, results } = done;
        let mut results = results.0.into_iter();
        while results.len() > RESULTS {
            let part = List(results.by_ref().take(RESULTS).collect());
            self.hub.handle(connection, request, OrderDone { epoch, order, results: part }.into());
            if !self.go_on().await {
                return;
            }
        }
        let results = List(results.collect());
        self.hub.handle(connection, request, OrderDone { epoch, order, results }.into());
    }
}

/// Hands whole frames to the coordinator; false if nothing more can be made of the connection.
async fn take_frames(mut turn: Turn<'_>, connection: u32, deframer: &mut Deframer) -> bool {
    let hub = turn.hub;
    loop {
        match deframer.next_frame() {
            Ok(None) => return true,
            Ok(Some(frame)) => {
                let request = frame.header.request;
                match Message::decode(frame.header.kind, frame.body) {
                    Ok(Message::OrderDone(done)) => turn.report(connection, request, done).await,
                    Ok(message) => hub.handle(connection, request, message),
                    // The frame is sound, so the next one can be found.
                    Err(why) => {
                        tracing::debug!(connection, reason = %Reason::MALFORMED, "{why}");
                        hub.malformed(connection, request, &why.to_string(), false);
                    }
                }
            }
            Err(why) => {
                hub.malformed(connection, 0, &why.to_string(), true);
                hub.pump();
                return false;
            }
        }
        if !turn.go_on().await {
            return true;
        }
    }
}

async fn send(mut to: WriteHalf<Stream>, outgoing: Rc<Outgoing>) {
    let mut bytes = Vec::new();
    loop {
        outgoing.take(&mut bytes);
        if bytes.is_empty() {
            if outgoing.is_closing() {
                break;
            }
            outgoing.filled.notified().await;
            continue;
        }
        let sent = tokio::select! {
            sent = to.write_all(&bytes) => sent.is_ok(),
            () = cut(&outgoing) => false,
        };
        if !sent {
            outgoing.close();
            break;
        }
    }
    let _ = tokio::time::timeout(FAREWELL, to.shutdown()).await;
}

async fn cut(outgoing: &Outgoing) {
    while !outgoing.is_cut() {
        outgoing.filled.notified().await;
    }
}
