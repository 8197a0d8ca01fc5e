//! A blocking end of a connection. The library of clients would measure itself: its tasks hand
//! every message over twice.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dray_wire::messages::{Hello, Refused};
use dray_wire::{Deframer, Message, Role, Text, VERSION};

/// Bytes read at once.
const READ: usize = 256 << 10;
/// Longer than anything here takes: who waits so long has been forgotten.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of waiting for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    Nothing,
    End,
}

pub(super) struct Link {
    stream: UnixStream,
    pub(super) deframer: Deframer,
    scratch: Box<[u8]>,
    out: Vec<u8>,
    last: u64,
}

impl Link {
    /// Says hello.
    pub(super) fn open(stream: UnixStream, role: Role, name: &str) -> Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let scratch = vec![0; READ].into();
        let mut link =
            Self { stream, deframer: Deframer::default(), scratch, out: Vec::new(), last: 0 };
        let (version_from, version_to) = (VERSION, VERSION);
        let hello =
            Hello { version_from, version_to, role, name: Text::new(name), ..Hello::default() };
        match link.ask(&hello.into())? {
            Message::Welcome(_) => Ok(link),
            other => bail!("no welcome but {}", other.kind()),
        }
    }

    /// Another handle of the same socket, for a thread that only writes.
    pub(super) fn writer(&self) -> Result<UnixStream> {
        self.stream.try_clone().context("share a socket")
    }

    pub(super) fn patience(&self, patience: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(patience)).context("set a timeout")
    }

    /// The number of the next request.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Waits for bytes and puts them where frames are taken from.
    pub(super) fn receive(&mut self) -> Result<Received> {
        match self.stream.read(&mut self.scratch) {
            Ok(0) => Ok(Received::End),
            Ok(count) => {
                self.deframer.buffer().extend_from_slice(&self.scratch[..count]);
                Ok(Received::Bytes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Received::Nothing),
            // The server has ended with something of ours unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Received::End),
            Err(error) => Err(error).context("read from the coordinator"),
        }
    }

    /// The next message, answer or pushed, and its number.
    pub(super) fn next(&mut self) -> Result<(u64, Message)> {
        loop {
            if let Some(frame) = self.deframer.next_frame()? {
                let message = Message::decode(frame.header.kind, frame.body)?;
                return Ok((frame.header.request, sound(message)?));
            }
            ensure!(self.receive()? == Received::Bytes, "the coordinator does not answer");
        }
    }

    /// The answer to a request that was sent; what is pushed before it is passed over.
    pub(super) fn answer(&mut self, request: u64) -> Result<Message> {
        loop {
            let (number, message) = self.next()?;
            if number == request {
                return Ok(message);
            }
        }
    }

    pub(super) fn ask(&mut self, message: &Message) -> Result<Message> {
        let request = self.prepare(message);
        self.send()?;
        self.answer(request)
    }

    /// Encodes a request; its number.
    pub(super) fn prepare(&mut self, message: &Message) -> u64 {
        let request = self.number();
        self.out.clear();
        dray_wire::encode(message, request, &mut self.out);
        request
    }

    /// Sends what was prepared.
    pub(super) fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.out).context("write to the coordinator")
    }
}

/// Every refusal ends a benchmark: its figures would be those of something else.
fn sound(message: Message) -> Result<Message> {
    match message {
        Message::Refused(Refused { reason, text, .. }) => bail!("refused ({reason}): {text}"),
        message => Ok(message),
    }
}
