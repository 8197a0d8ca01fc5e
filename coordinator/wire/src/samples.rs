//! Values of every message, and what its fields are, for tests: behind the feature `samples`, so
//! that a field that is added is tested without a line more.

use crate::codec::{Bytes, List, Name, Text, Zeros};
use crate::ids::{Cluster, FileHandle};
use crate::limits::{NAME_MAX, RECEIPTS_MAX};

/// What samples are made of. Zeros when it has run out, so that less of it makes smaller values:
/// a test that shrinks its input shrinks the message.
#[derive(Debug)]
pub struct Dice<'a> {
    bytes: &'a [u8],
    /// Bytes that long fields may still take, so that the body fits a frame.
    room: usize,
}

impl<'a> Dice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, room: RECEIPTS_MAX + 64 * 1024 }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let (taken, rest) = self.bytes.split_at(N.min(self.bytes.len()));
        array[..taken.len()].copy_from_slice(taken);
        self.bytes = rest;
        array
    }

    /// Below `bound`, which is at most 256.
    fn below(&mut self, bound: usize) -> usize {
        let [one] = self.array();
        usize::from(one) % bound
    }

    /// Mostly short, now and then as long as can be.
    fn bytes(&mut self, max: usize) -> Vec<u8> {
        let length = match self.below(64) {
            62 if max <= self.room => max - 1,
            63 if max <= self.room => max,
            short => short.min(max),
        };
        self.room = self.room.saturating_sub(length);
        let pattern: [u8; 7] = self.array();
        pattern.into_iter().cycle().take(length).collect()
    }
}

/// Something of which there are samples.
pub trait Sample: Sized {
    fn sample(dice: &mut Dice<'_>) -> Self;

    /// Its type as `docs/wire.md` has it.
    fn shape() -> String;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn sample(dice: &mut Dice<'_>) -> Self {
                Self::from_le_bytes(dice.array())
            }

            fn shape() -> String {
                stringify!($type).into()
            }
        }
    )*};
}

integers!(u8, u16, u32, u64);

impl<const N: usize> Sample for [u8; N] {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.array()
    }

    fn shape() -> String {
        format!("{N} bytes")
    }
}

impl Sample for Cluster {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self(dice.array())
    }

    fn shape() -> String {
        <[u8; 16]>::shape()
    }
}

impl<const N: usize> Sample for Zeros<N> {
    fn sample(_: &mut Dice<'_>) -> Self {
        Self
    }

    fn shape() -> String {
        format!("reserved {N}")
    }
}

impl Sample for FileHandle {
    fn sample(dice: &mut Dice<'_>) -> Self {
        let file_system = dice.array();
        Self { file_system, inode: u64::sample(dice), generation: u32::sample(dice) }
    }

    fn shape() -> String {
        "handle".into()
    }
}

impl<const MAX: usize> Sample for Bytes<MAX> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self::new(dice.bytes(MAX)).expect("within the limit")
    }

    fn shape() -> String {
        format!("bytes<{MAX}>")
    }
}

impl Sample for Name {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self::new(dice.bytes(NAME_MAX)).expect("within the limit")
    }

    fn shape() -> String {
        "name".into()
    }
}

impl<const MAX: usize> Sample for Text<MAX> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        // Of characters of one to four bytes, so that cutting at the limit has work to do.
        let letters = ['a', '\0', '\u{e4}', '\u{20ac}', '\u{10348}'];
        let bytes = dice.bytes(MAX);
        let text: String = bytes.iter().map(|byte| letters[usize::from(*byte) % 5]).collect();
        Self::new(&text)
    }

    fn shape() -> String {
        format!("text<{MAX}>")
    }
}

impl<T: Sample, const MAX: usize> Sample for List<T, MAX> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        // So few that bodies of the longest fields fit their limit.
        let count = dice.below(5);
        Self((0..count).map(|_| T::sample(dice)).collect())
    }

    fn shape() -> String {
        format!("list<{}>, at most {MAX}", T::shape())
    }
}
