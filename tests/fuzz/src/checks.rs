//! What is asked of every input. `cargo test` asks it of the corpus.

use dray_wire::{Deframer, HEADER_BYTES, Kind, Malformed, Message, encode};

/// A kind in two bytes, then a body.
pub(crate) fn chosen(input: &[u8]) {
    if let Some((kind, bytes)) = input.split_first_chunk() {
        body(Kind(u16::from_le_bytes(*kind)), bytes);
    }
}

/// A body is refused, or there is no other way to write what it says.
pub(crate) fn body(kind: Kind, bytes: &[u8]) {
    let Ok(message) = Message::decode(kind, bytes) else { return };
    assert_eq!(message.kind(), kind);
    if message == Message::Unknown(kind) {
        return;
    }
    let mut out = Vec::new();
    encode(&message, 1, &mut out);
    assert_eq!(&out[HEADER_BYTES..], bytes, "encoded otherwise: {message:?}");
    assert_eq!(Message::decode(kind, &out[HEADER_BYTES..]), Ok(message));
}

/// What comes over a connection: as it is, and with right sums, which chance does not find.
pub(crate) fn frames(input: &[u8]) {
    deliver(input);
    deliver(&mended(input));
}

/// The same comes of bytes however they are cut up.
fn deliver(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, 1 + bytes.len() % 61), whole);
    for (kind, bytes) in whole.0 {
        body(kind, &bytes);
    }
}

type Frames = Vec<(Kind, Vec<u8>)>;

/// The frames, and the error that ended them or else how many bytes were left.
fn read(bytes: &[u8], piece: usize) -> (Frames, Result<usize, Malformed>) {
    let mut deframer = Deframer::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        deframer.buffer().extend_from_slice(piece);
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => frames.push((frame.header.kind, frame.body.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(deframer.pending()))
}

/// Each frame with a length that does not go beyond the input, and its sums set right.
fn mended(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut rest = &mut bytes[..];
    while let Some((header, after)) = rest.split_first_chunk_mut::<HEADER_BYTES>() {
        let [.., a, b, c, d] = *header.first_chunk::<16>().expect("a header has more");
        let length = (u32::from_le_bytes([a, b, c, d]) as usize).min(after.len());
        let (body, next) = after.split_at_mut(length);
        let length = u32::try_from(length).expect("inputs are short");
        header[12..16].copy_from_slice(&length.to_le_bytes());
        header[24..28].copy_from_slice(&crc32c(body).to_le_bytes());
        let sum = crc32c(&header[..28]);
        header[28..].copy_from_slice(&sum.to_le_bytes());
        rest = next;
    }
    bytes
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}
