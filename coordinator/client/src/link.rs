//! The tasks of a connection: one sends, one receives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_link::Stream;
use dray_wire::{Deframer, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::error::Error;

/// Something to be sent.
pub(crate) struct Outbound {
    pub(crate) message: Message,
    /// Who waits for the reply; nobody for a report.
    pub(crate) reply: Option<Reply>,
}

/// The way back to who asked.
pub(crate) struct Reply {
    pub(crate) to: oneshot::Sender<Result<Message, Error>>,
    /// Given back with the reply, not when whoever asked stops waiting: the coordinator counts
    /// what it has not answered.
    //= docs/wire.md#w-9
    pub(crate) _credit: OwnedSemaphorePermit,
}

/// Messages encoded before they are written: a burst is one system call.
const BURST: usize = 256;
/// Bytes at which a burst is written. Messages are short; the long ones are not gathered.
const BURST_BYTES: usize = 256 << 10;
/// Bytes read at once.
const READ: usize = 256 << 10;
/// For the coordinator to close a connection that nobody here asks over any more.
const LINGER: Duration = Duration::from_secs(10);

/// Requests without a reply, and why there will be none any more.
#[derive(Default)]
struct Replies {
    waiting: HashMap<u64, Reply>,
    ended: Option<Error>,
}

#[derive(Default, Clone)]
struct Waiting(Arc<Mutex<Replies>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Replies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the reply back if nothing will be received any more.
    fn insert(&self, request: u64, reply: Reply) -> Result<(), (Reply, Error)> {
        let mut replies = self.lock();
        if let Some(why) = &replies.ended {
            return Err((reply, why.clone()));
        }
        replies.waiting.insert(request, reply);
        Ok(())
    }

    fn answer(&self, request: u64, message: Result<Message, Error>) {
        let reply = self.lock().waiting.remove(&request);
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = reply.to.send(message);
        }
    }

    fn end(&self, why: &Error) {
        let mut replies = self.lock();
        replies.ended = Some(why.clone());
        let waiting = std::mem::take(&mut replies.waiting);
        drop(replies);
        for (_, reply) in waiting {
            let _ = reply.to.send(Err(why.clone()));
        }
    }
}

/// Starts both tasks; they end with the connection.
pub(crate) fn start(
    stream: Stream,
    outbound: mpsc::Receiver<Outbound>,
    pushed: mpsc::UnboundedSender<Message>,
) {
    let (from, to) = tokio::io::split(stream);
    let waiting = Waiting::default();
    let mut sender = tokio::spawn(send(to, outbound, waiting.clone()));
    tokio::spawn(async move {
        let left = async {
            let _ = (&mut sender).await;
            tokio::time::sleep(LINGER).await;
        };
        let why = tokio::select! {
            why = receive(from, &waiting, pushed) => why,
            () = left => Error::Closed,
        };
        waiting.end(&why);
        // Nobody would hear the replies. Its end closes the connection.
        sender.abort();
    });
}

async fn send(mut to: WriteHalf<Stream>, mut outbound: mpsc::Receiver<Outbound>, waiting: Waiting) {
    let (mut batch, mut bytes, mut last) = (Vec::new(), Vec::new(), 0);
    'link: while outbound.recv_many(&mut batch, BURST).await > 0 {
        for Outbound { message, reply } in batch.drain(..) {
            append(&message, reply, &mut last, &mut bytes, &waiting);
            if bytes.len() >= BURST_BYTES && write(&mut to, &mut bytes).await.is_err() {
                break 'link;
            }
        }
        if write(&mut to, &mut bytes).await.is_err() {
            // The receiving task tells those who wait.
            break;
        }
    }
    let _ = to.shutdown().await;
}

async fn write(to: &mut WriteHalf<Stream>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    to.write_all(bytes).await?;
    bytes.clear();
    bytes.shrink_to(BURST_BYTES);
    to.flush().await
}

/// Requests are numbered here, so that the numbers grow on the wire.
//= docs/wire.md#w-7
fn append(
    message: &Message,
    reply: Option<Reply>,
    last: &mut u64,
    bytes: &mut Vec<u8>,
    waiting: &Waiting,
) {
    let request = if reply.is_some() { *last + 1 } else { 0 };
    let start = bytes.len();
    let encoded = dray_wire::try_encode(message, request, bytes).map_err(Error::TooBig);
    let Some(reply) = reply else { return };
    let waits = match encoded {
        Ok(()) => waiting.insert(request, reply),
        Err(error) => Err((reply, error)),
    };
    match waits {
        Ok(()) => *last = request,
        Err((reply, error)) => {
            bytes.truncate(start);
            let _ = reply.to.send(Err(error));
        }
    }
}

async fn receive(
    mut from: ReadHalf<Stream>,
    waiting: &Waiting,
    pushed: mpsc::UnboundedSender<Message>,
) -> Error {
    let mut deframer = Deframer::default();
    loop {
        let buffer = deframer.buffer();
        buffer.reserve(READ);
        match from.read_buf(buffer).await {
            Ok(0) | Err(_) => return Error::Closed,
            Ok(_) => {}
        }
        if let Err(error) = take_frames(&mut deframer, waiting, &pushed) {
            return error;
        }
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
        waiting.answer(request, Ok(message));
    }
    Ok(())
}
