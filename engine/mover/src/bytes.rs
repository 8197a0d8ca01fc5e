//! Writing and reading fixed layouts, little-endian.

use dray_io::{Handle, Range, Time};

const SHORT: &str = "it is cut short";

pub(crate) struct Put(pub(crate) Vec<u8>);

impl Put {
    pub(crate) fn new(kind: u8, version: u8) -> Self {
        Self(vec![kind, version])
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn handle(&mut self, handle: Handle) {
        self.u32(handle.generation);
        self.u64(handle.inode);
        self.0.extend_from_slice(&handle.file_system);
    }

    pub(crate) fn range(&mut self, range: Range) {
        self.u64(range.start);
        self.u64(range.end);
    }

    pub(crate) fn time(&mut self, time: Time) {
        self.0.extend_from_slice(&time.seconds.to_le_bytes());
        self.u32(time.nanos);
    }
}

/// What is left to be read. Errors say what is wrong.
pub(crate) struct Take<'a>(&'a [u8]);

type Taken<T> = Result<T, &'static str>;

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8], kind: u8, version: u8) -> Taken<Self> {
        let mut take = Self(bytes);
        if take.u8()? != kind {
            return Err("it is of another kind");
        }
        if take.u8()? != version {
            return Err("it has a version that this dray does not know");
        }
        Ok(take)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Taken<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Taken<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Taken<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Taken<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A byte with no other bits than `known`.
    pub(crate) fn flags(&mut self, known: u8) -> Taken<u8> {
        let flags = self.u8()?;
        if flags & !known == 0 { Ok(flags) } else { Err("it has a flag that is not known") }
    }

    pub(crate) fn zero(&mut self) -> Taken<()> {
        self.flags(0).map(drop)
    }

    pub(crate) fn handle(&mut self) -> Taken<Handle> {
        let (generation, inode) = (self.u32()?, self.u64()?);
        Ok(Handle { file_system: self.array()?, inode, generation })
    }

    pub(crate) fn range(&mut self) -> Taken<Range> {
        let (start, end) = (self.u64()?, self.u64()?);
        if start <= end { Ok(Range::new(start, end)) } else { Err("a range runs backwards") }
    }

    pub(crate) fn time(&mut self) -> Taken<Time> {
        let (seconds, nanos) = (i64::from_le_bytes(self.array()?), self.u32()?);
        let valid = nanos < 1_000_000_000;
        if valid { Ok(Time { seconds, nanos }) } else { Err("a time has too many nanoseconds") }
    }

    pub(crate) fn end(self) -> Taken<()> {
        if self.0.is_empty() { Ok(()) } else { Err("something follows its end") }
    }
}
