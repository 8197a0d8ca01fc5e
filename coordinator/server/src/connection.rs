//! One peer: frames in, frames out.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use dray_core::Peer;
use dray_link::Stream;
use dray_wire::{Deframer, Message, Reason};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::hub::Hub;
use crate::limits::{FAREWELL, GREETING_BYTES, KEEP, PAUSE, READ};
use crate::outgoing::Outgoing;

/// Serves a peer until one side has enough. It has until `greeting` to say *Hello*.
pub(crate) async fn serve(hub: Rc<Hub>, stream: Stream, peer: Peer, greeting: Instant) {
    let Some((connection, outgoing)) = hub.connected(peer) else {
        tracing::warn!("too many connections: one more is closed");
        return;
    };
    let (from, to) = tokio::io::split(stream);
    let mut sender = tokio::task::spawn_local(send(to, Rc::clone(&outgoing)));
    let mut incoming = Incoming { hub: &hub, connection, from, outgoing: &outgoing };
    incoming.receive(greeting).await;
    let refused = outgoing.is_closing() && !outgoing.is_cut();
    hub.disconnected(connection);
    outgoing.close();
    // Its refusal should reach the peer, if he listens.
    let farewell = async {
        let _ = (&mut sender).await;
        if refused {
            incoming.discard().await;
        }
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::debug!(connection, "a peer did not read its last messages");
        // It would wait for that peer as long as he likes.
        sender.abort();
    }
}

/// What comes from a peer.
struct Incoming<'a> {
    hub: &'a Hub,
    connection: u32,
    from: ReadHalf<Stream>,
    outgoing: &'a Outgoing,
}

impl Incoming<'_> {
    async fn receive(&mut self, greeting: Instant) {
        let mut deframer = Deframer::default();
        let mut greeted = false;
        let outgoing = self.outgoing;
        while !outgoing.is_closing() {
            let most = if greeted { READ } else { GREETING_BYTES };
            let read = tokio::select! {
                read = self.read(&mut deframer, most) => read,
                () = closing(outgoing) => return,
                () = tokio::time::sleep_until(greeting), if !greeted => return,
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
            self.take_frames(&mut deframer, &mut greeted).await;
            let closing = outgoing.is_closing();
            if !greeted && !closing && deframer.pending() >= GREETING_BYTES {
                self.malformed(0, "the first message is longer than Hello can be", true);
                self.hub.pump();
            }
            if deframer.pending() == 0 && deframer.buffer().capacity() > KEEP {
                deframer = Deframer::default();
            }
        }
    }

    /// Appends what has come. Nothing is set aside for it before.
    async fn read(&mut self, to: &mut Deframer, most: usize) -> std::io::Result<usize> {
        poll_fn(|context| {
            let mut scratch = self.hub.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch[..most]);
            ready!(Pin::new(&mut self.from).poll_read(context, &mut buffer))?;
            to.buffer().extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }

    /// Hands whole frames to the coordinator, one after the other: after a frame that closes the
    /// connection none is looked at, and none while the replies to those before are not read.
    async fn take_frames(&self, deframer: &mut Deframer, greeted: &mut bool) {
        while !self.outgoing.is_closing() {
            let (request, decoded) = match deframer.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    (frame.header.request, Message::decode(frame.header.kind, frame.body))
                }
                Err(why) => {
                    self.malformed(0, &why.to_string(), true);
                    break;
                }
            };
            let pass_on = !*greeted || !matches!(&decoded, Ok(message) if is_report(message));
            match decoded {
                Ok(message) => self.hub.handle(self.connection, request, message),
                // The frame is sound, so the next one can be found; but the first is Hello.
                Err(why) => self.malformed(request, &why.to_string(), !*greeted),
            }
            if pass_on {
                self.hub.pump();
            }
            // Whatever is no good Hello closes the connection.
            *greeted |= !self.outgoing.is_closing();
            while self.outgoing.waiting() > PAUSE && !self.outgoing.is_closing() {
                self.outgoing.drained.notified().await;
            }
        }
        self.hub.pump();
    }

    fn malformed(&self, request: u64, why: &str, fatal: bool) {
        let connection = self.connection;
        tracing::debug!(connection, reason = %Reason::MALFORMED, "{why}");
        self.hub.malformed(connection, request, why, fatal);
    }

    /// Reads what nobody looks at any more: closing a socket before would take the last messages
    /// back from a peer that is still sending.
    async fn discard(&mut self) {
        let mut nowhere = Deframer::default();
        while matches!(self.read(&mut nowhere, READ).await, Ok(1..)) {
            nowhere = Deframer::default();
        }
    }
}

/// What nodes say of orders is not answered; the outcomes of a burst are passed on together.
fn is_report(message: &Message) -> bool {
    matches!(message, Message::OrderDone(_) | Message::OrderProgress(_) | Message::OrderRefused(_))
}

async fn closing(outgoing: &Outgoing) {
    while !outgoing.is_closing() {
        outgoing.drained.notified().await;
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
            sent = write(&mut to, &bytes, &outgoing) => sent.is_ok(),
            () = cut(&outgoing) => false,
        };
        if !sent {
            outgoing.close();
            break;
        }
    }
    // Not while the peer is being told that it is over.
    drop(bytes);
    let _ = tokio::time::timeout(FAREWELL, to.shutdown()).await;
}

/// Writes all, counting what the peer has taken.
async fn write(
    to: &mut WriteHalf<Stream>,
    mut bytes: &[u8],
    outgoing: &Outgoing,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let count = to.write(bytes).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        outgoing.sent(count);
        bytes = &bytes[count..];
    }
    to.flush().await
}

async fn cut(outgoing: &Outgoing) {
    while !outgoing.is_cut() {
        outgoing.filled.notified().await;
    }
}
