//! A peer that sends what it likes.

use dray_link::Stream;
use dray_wire::messages::{Hello, Ping};
use dray_wire::{Deframer, HEADER_BYTES, Message, Reason, Role, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::AMPLE;

pub(crate) struct Raw {
    stream: Stream,
    deframer: Deframer,
    last: u64,
}

pub(crate) fn hello(role: Role, name: &str) -> Hello {
    Hello { version_from: 1, version_to: 1, role, name: Text::new(name), ..Hello::default() }
}

pub(crate) fn frame(message: impl Into<Message>, request: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    dray_wire::encode(&message.into(), request, &mut bytes);
    bytes
}

/// The bytes of a frame with both sums made right, whatever else is in it.
pub(crate) fn summed(mut frame: Vec<u8>) -> Vec<u8> {
    let body = crc32c(&frame[HEADER_BYTES..]);
    frame[24..28].copy_from_slice(&body.to_le_bytes());
    let header = crc32c(&frame[..28]);
    frame[28..32].copy_from_slice(&header.to_le_bytes());
    frame
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 * (sum & 1)))
    })
}

impl Raw {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, deframer: Deframer::default(), last: 0 }
    }

    /// Whether all of it was taken; a peer that was cut off cannot send.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(AMPLE, sent).await.expect("the server reads").is_ok()
    }

    /// The same for a peer that the server may have stopped to read from.
    pub(crate) async fn try_send(&mut self, bytes: &[u8], within: std::time::Duration) -> bool {
        let sent = self.stream.write_all(bytes);
        matches!(tokio::time::timeout(within, sent).await, Ok(Ok(())))
    }

    /// A request with the next number.
    pub(crate) async fn ask(&mut self, message: impl Into<Message>) -> u64 {
        self.last += 1;
        let bytes = frame(message, self.last);
        assert!(self.send(&bytes).await);
        self.last
    }

    /// What comes next, with its number; nothing if the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<(u64, Message)> {
        loop {
            if let Some(frame) = self.deframer.next_frame().expect("the server sends frames") {
                let message = Message::decode(frame.header.kind, frame.body).unwrap();
                return Some((frame.header.request, message));
            }
            let read = self.stream.read_buf(self.deframer.buffer());
            let read = tokio::time::timeout(AMPLE, read).await.expect("something comes, or an end");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    pub(crate) async fn greet(&mut self) {
        let request = self.ask(hello(Role::CLIENT, "raw")).await;
        let welcome = self.next().await;
        assert!(
            matches!(welcome, Some((number, Message::Welcome(_))) if number == request),
            "{welcome:?}"
        );
    }

    /// Expects a refusal with this number and reason; what it is about.
    pub(crate) async fn refused(&mut self, number: u64, why: Reason) -> u64 {
        match self.next().await {
            Some((request, Message::Refused(it))) => {
                assert_eq!((request, it.reason), (number, why), "{}", it.text);
                it.about
            }
            other => panic!("not refused ({why}): {other:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) {
        let next = self.next().await;
        assert!(next.is_none(), "{next:?}");
    }

    /// The connection goes on.
    pub(crate) async fn goes_on(&mut self) {
        let request = self.ask(Ping::default()).await;
        let done = self.next().await;
        assert!(matches!(done, Some((number, Message::Done(_))) if number == request), "{done:?}");
    }

    /// Nothing more is sent; the other way stays open.
    pub(crate) async fn hang_up(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Everything until the end, not looked at; how many bytes.
    pub(crate) async fn drain(&mut self) -> usize {
        let (mut all, mut bytes) = (0, vec![0; 1 << 20]);
        loop {
            let read = self.stream.read(&mut bytes);
            let read = tokio::time::timeout(AMPLE, read).await.expect("an end");
            let Ok(count @ 1..) = read else { return all };
            all += count;
        }
    }
}
