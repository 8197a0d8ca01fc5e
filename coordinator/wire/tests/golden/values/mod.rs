//! One message of every kind. Chosen by hand: no two fields of a message have the same value where
//! that can be, so that fields that change places show. A value once published stays.

mod connection;
mod events;
mod nodes;
mod requests;
mod rights;
mod sessions;

use dray_wire::{Bytes, FileHandle, Message, Name, Text};

/// With the request that the frame carries, in the order of `Message::KINDS`.
pub(crate) fn all() -> Vec<(u64, Message)> {
    let parts = [
        connection::all(),
        sessions::all(),
        events::all(),
        rights::all(),
        requests::all(),
        nodes::all(),
    ];
    (0x0807_0605_0403_0201..).zip(parts.into_iter().flatten()).collect()
}

pub(crate) fn of(name: &str) -> Message {
    let known = Message::KINDS.iter().zip(all());
    let mut named = known.filter(|((_, it), _)| *it == name);
    named.next().expect("a message of this name").1.1
}

/// Sixteen bytes that count up from `first`.
fn sixteen(first: u8) -> [u8; 16] {
    std::array::from_fn(|at| first + at as u8)
}

fn handle() -> FileHandle {
    FileHandle { file_system: sixteen(0xa0), inode: 0x0123_4567, generation: 77 }
}

fn other_handle() -> FileHandle {
    FileHandle { file_system: sixteen(0xb0), inode: u64::MAX, generation: 1 }
}

fn bytes<const MAX: usize>(bytes: &[u8]) -> Bytes<MAX> {
    Bytes::new(bytes).expect("short")
}

fn name(name: &[u8]) -> Name {
    Name::new(name).expect("short")
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text)
}
