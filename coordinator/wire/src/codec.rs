//! How fields become bytes and back. Every reader is handed a slice and never reads beyond it.

use crate::limits::{NAME_MAX, TEXT_MAX};

/// Why a frame or body was not understood. Never costs an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the frame does not begin with the magic")]
    Magic,
    #[error("the sum of the header is wrong")]
    HeaderSum,
    #[error("version {0} is not spoken here")]
    Version(u16),
    #[error("reserved bytes are not zero")]
    Reserved,
    #[error("a body of {0} bytes is longer than the limit")]
    TooLong(u32),
    #[error("the sum of the body is wrong")]
    BodySum,
    #[error("the body ends within a field")]
    Short,
    #[error("the body has {0} bytes more than its fields")]
    Trailing(usize),
    #[error("a list of {0} is longer than its limit or than the body")]
    Count(u32),
    #[error("{0} bytes are longer than the limit of their field")]
    Length(u32),
    #[error("a text is not UTF-8")]
    Text,
}

/// A message that no frame may carry. The number is that of the bytes, if it has been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooBig {
    #[error("a list in it is longer than its limit")]
    List,
    #[error("its {0} bytes are more than a frame holds")]
    Body(usize),
}

/// Takes fields off the front of a body.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn zeros(&mut self, count: usize) -> Result<(), Malformed> {
        let reserved = self.bytes(count)?;
        if reserved.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Malformed::Reserved) }
    }

    pub fn left(&self) -> usize {
        self.0.len()
    }
}

/// Appends fields to a body.
#[derive(Debug, Default)]
pub struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// Goes on behind what is there.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes over what was written before.
    pub fn set(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Something with a place in a body.
pub trait Field: Sized {
    /// Bytes that every value takes at the least. Bounds what a list can hold before any of it is
    /// read.
    const LEAST: usize;

    fn put(&self, out: &mut Writer);
    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// Whether the lists in it are within their limits. Everything else cannot be made too long.
    fn fits(&self) -> bool {
        true
    }
}

/// A whole body.
pub trait Body: Sized {
    fn put_body(&self, out: &mut Writer);
    fn take_body(from: &mut Reader<'_>) -> Result<Self, Malformed>;

    //= docs/wire.md#w-4
    fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let read = Self::take_body(&mut reader)?;
        match reader.left() {
            0 => Ok(read),
            left => Err(Malformed::Trailing(left)),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const LEAST: usize = size_of::<Self>();

            fn put(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self::from_le_bytes(from.array()?))
            }
        }
    )*};
}

integers!(u8, u16, u32, u64);

impl<const N: usize> Field for [u8; N] {
    const LEAST: usize = N;

    fn put(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array()
    }
}

/// Reserved bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zeros<const N: usize>;

impl<const N: usize> Field for Zeros<N> {
    const LEAST: usize = N;

    fn put(&self, out: &mut Writer) {
        out.bytes(&[0; N]);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.zeros(N).map(|()| Self)
    }
}

/// At most `MAX` bytes behind their length.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Bytes<const MAX: usize>(Box<[u8]>);

impl<const MAX: usize> Bytes<MAX> {
    /// `None` if they are too many.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= MAX).then_some(Self(bytes))
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("the limits of all fields are below 2^32")
}

impl<const MAX: usize> Field for Bytes<MAX> {
    const LEAST: usize = 4;

    fn put(&self, out: &mut Writer) {
        length(&self.0).put(out);
        out.bytes(&self.0);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u32::take(from)?;
        if length as usize > MAX {
            return Err(Malformed::Length(length));
        }
        Ok(Self(from.bytes(length as usize)?.into()))
    }
}

/// The name of a file: at most `PATH_MAX` bytes, whatever they are; empty for none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// `None` if it is too long.
    pub fn new(name: impl Into<Box<[u8]>>) -> Option<Self> {
        let name = name.into();
        (name.len() <= NAME_MAX).then_some(Self(name))
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Field for Name {
    const LEAST: usize = 2;

    fn put(&self, out: &mut Writer) {
        u16::try_from(self.0.len()).expect("names are bounded").put(out);
        out.bytes(&self.0);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u16::take(from)?;
        if usize::from(length) > NAME_MAX {
            return Err(Malformed::Length(length.into()));
        }
        Ok(Self(from.bytes(length.into())?.into()))
    }
}

/// A text for people, cut to its limit at a character.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Text<const MAX: usize = TEXT_MAX>(Box<str>);

impl<const MAX: usize> Text<MAX> {
    pub fn new(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(MAX)].into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> Field for Text<MAX> {
    const LEAST: usize = 4;

    fn put(&self, out: &mut Writer) {
        length(self.0.as_bytes()).put(out);
        out.bytes(self.0.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u32::take(from)?;
        if length as usize > MAX {
            return Err(Malformed::Length(length));
        }
        let bytes = from.bytes(length as usize)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Text)?;
        Ok(Self(text.into()))
    }
}

/// At most `MAX` of something, behind their count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Field, const MAX: usize> Field for List<T, MAX> {
    const LEAST: usize = 4;

    fn put(&self, out: &mut Writer) {
        assert!(self.0.len() <= MAX, "a list within its limit");
        u32::try_from(self.0.len()).expect("lists are bounded").put(out);
        for one in &self.0 {
            one.put(out);
        }
    }

    fn fits(&self) -> bool {
        self.0.len() <= MAX && self.0.iter().all(T::fits)
    }

    //= docs/wire.md#w-3
    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = u32::take(from)?;
        let room = from.left() / T::LEAST.max(1);
        if count as usize > MAX.min(room) {
            return Err(Malformed::Count(count));
        }
        let mut list = Vec::with_capacity(count as usize);
        for _ in 0..count {
            list.push(T::take(from)?);
        }
        Ok(Self(list))
    }
}
