//! Frames out of bytes as they come.

use crate::codec::Malformed;
use crate::header::{HEADER_BYTES, Header};

/// A frame whose sums are right.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub header: Header,
    pub body: &'a [u8],
}

/// Bytes received and not yet taken as frames. Holds at most what the last read brought and the
/// beginning of one frame.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// Bytes at the front that were taken.
    taken: usize,
}

impl Deframer {
    /// Where to append what was received.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        &mut self.buffer
    }

    /// The next whole frame. After an error nothing more can be made of the connection.
    //= docs/wire.md#w-2
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let pending = &self.buffer[self.taken..];
        let Some(header) = pending.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::decode(header)?;
        let length = HEADER_BYTES + header.length as usize;
        let Some(frame) = pending.get(..length) else { return Ok(None) };
        let body = &frame[HEADER_BYTES..];
        header.check(body)?;
        self.taken += length;
        Ok(Some(Frame { header, body }))
    }

    /// Bytes of frames that are not whole yet.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.taken
    }
}
