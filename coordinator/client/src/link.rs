//! The tasks of a connection: one sends, one receives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dray_link::Stream;
use dray_wire::{Deframer, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;

/// Something to be sent.
pub(crate) struct Outbound {
    pub(crate) message: Message,
    /// Who waits for the reply; nobody for a report.
    pub(crate) reply: Option<oneshot::Sender<Result<Message, Error>>>,
}

/// Messages encoded before they are written: a burst is one system call.
const BURST: usize = 256;
/// Bytes read at once.
const READ: usize = 256 << 10;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Message, Error>>>>>;

/// Starts both tasks; they end with the connection.
pub(crate) fn start(
    stream: Stream,
    outbound: mpsc::Receiver<Outbound>,
    pushed: mpsc::UnboundedSender<Message>,
) {
    let (from, to) = tokio::io::split(stream);
    let waiting: Waiting = Arc::default();
    tokio::spawn(send(to, outbound, Arc::clone(&waiting)));
    tokio::spawn(receive(from, waiting, pushed));
}

async fn send(mut to: WriteHalf<Stream>, mut outbound: mpsc::Receiver<Outbound>, waiting: Waiting) {
    let (mut batch, mut bytes, mut last) = (Vec::new(), Vec::new(), 0);
    while outbound.recv_many(&mut batch, BURST).await > 0 {
        bytes.clear();
        for Outbound { message, reply } in batch.drain(..) {
            // Numbered here, so that they grow on the wire.
            let request = match reply {
                None => 0,
                Some(reply) => {
                    last += 1;
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    waiting.insert(last, reply);
                    last
                }
            };
            dray_wire::encode(&message, request, &mut bytes);
        }
        if to.write_all(&bytes).await.is_err() {
            // The receiving task tells those who wait.
            break;
        }
    }
    let _ = to.shutdown().await;
}

async fn receive(
    mut from: ReadHalf<Stream>,
    waiting: Waiting,
    pushed: mpsc::UnboundedSender<Message>,
) {
    let mut deframer = Deframer::default();
    let why = loop {
        let buffer = deframer.buffer();
        buffer.reserve(READ);
        match from.read_buf(buffer).await {
            Ok(0) | Err(_) => break Error::Closed,
            Ok(_) => {}
        }
        if let Err(error) = take_frames(&mut deframer, &waiting, &pushed) {
            break error;
        }
    };
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, reply) in waiting.drain() {
        // Whoever asked may have gone.
        let _ = reply.send(Err(why.clone()));
    }
}

fn take_frames(
    deframer: &mut Deframer,
    waiting: &Waiting,
    pushed: &mpsc::UnboundedSender<Message>,
) -> Result<(), Error> {
    while let Some(frame) = deframer.next_frame().map_err(Error::Malformed)? {
        let request = frame.header.request;
        let message = Message::decode(frame.header.kind, frame.body).map_err(Error::Malformed)?;
        if request == 0 {
            // Whoever does not care for what is pushed has dropped the other end.
            let _ = pushed.send(message);
            continue;
        }
        let reply = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&request);
        if let Some(reply) = reply {
            let _ = reply.send(Ok(message));
        }
    }
    Ok(())
}
