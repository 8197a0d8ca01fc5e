//! What holds for every message, whatever is in it. All go through `Message::KINDS`, so a message
//! that is added is tested without a line here.
#![forbid(unsafe_code)]

mod deframing;
mod limits;
mod memory;
mod refusal;
mod round_trip;
mod unknown;

use dray_wire::samples::Dice;
use dray_wire::{Deframer, Frame, HEADER_BYTES, Malformed, Message, encode};
use proptest::prelude::*;

/// Each case goes through all messages, so that a few are many.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// What messages are made of.
fn material() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

/// One of every kind.
fn messages(material: &[u8]) -> impl Iterator<Item = Message> {
    Message::KINDS.iter().map(move |(kind, name)| {
        let message = Message::sample(*kind, &mut Dice::new(material));
        message.unwrap_or_else(|| panic!("{name} is in KINDS and has no sample"))
    })
}

fn frame(message: &Message, request: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, request, &mut out);
    out
}

fn body(message: &Message) -> Vec<u8> {
    frame(message, 0).split_off(HEADER_BYTES)
}

/// The first frame of `bytes` as a message with its request. `None`: not whole.
fn first(bytes: &[u8]) -> Result<Option<(u64, Message)>, Malformed> {
    let mut deframer = Deframer::default();
    deframer.buffer().extend_from_slice(bytes);
    deframer.next_frame()?.map(|it| read(&it)).transpose()
}

fn read(frame: &Frame<'_>) -> Result<(u64, Message), Malformed> {
    Ok((frame.header.request, Message::decode(frame.header.kind, frame.body)?))
}
