//! Records: `docs/volume.md`, "Records".

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dray_io::{Handle, Kind, PackedTime, Range, Time, sum};

use crate::layout::{Put, RECORD_HEADER, RECORD_MAX, Take, VERSION, sum_around};

const MAGIC: &[u8; 4] = b"DREC";
const SUM_AT: usize = 12;
const HASH_PRESENT: u16 = 1;

/// A run of bytes of a file, stored contiguously in one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the file.
    pub range: Range,
    /// Where the data begins, counted from the start of the segment.
    pub payload: u64,
    /// One sum per [`SUM_BLOCK`](dray_io::limits::SUM_BLOCK).
    pub sums: Vec<u32>,
}

/// Where a part of a large file is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRef {
    pub volume: u32,
    pub length: u32,
    pub at: u64,
    pub range: Range,
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    pub handle: Handle,
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    pub size: u64,
    pub rdev: u64,
    pub accessed: Time,
    pub modified: Time,
    pub changed: Time,
    pub born: Time,
    pub archived: PackedTime,
    /// BLAKE3 of the content.
    pub hash: Option<[u8; 32]>,
    pub path: PathBuf,
    /// Of a symbolic link.
    pub target: Vec<u8>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub extents: Vec<Extent>,
    pub parts: Vec<PartRef>,
}

/// A run of extents of a large file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    pub handle: Handle,
    pub range: Range,
    pub extents: Vec<Extent>,
}

/// The archive copy whose manifest stood there was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoneRecord {
    pub handle: Handle,
    pub volume: u32,
    pub at: u64,
    pub removed: PackedTime,
}

/// Another name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    pub handle: Handle,
    pub archived: PackedTime,
    pub path: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    File(Box<FileRecord>),
    Part(PartRecord),
    Gone(GoneRecord),
    Link(LinkRecord),
    /// Of a kind that a later version added.
    Unknown(u16),
}

fn kind_code(kind: Kind) -> u16 {
    match kind {
        Kind::File => 1,
        Kind::Directory => 2,
        Kind::Symlink => 3,
        Kind::Fifo => 4,
        Kind::Socket => 5,
        Kind::CharDevice => 6,
        Kind::BlockDevice => 7,
    }
}

fn kind_of(code: u16) -> Option<Kind> {
    Some(match code {
        1 => Kind::File,
        2 => Kind::Directory,
        3 => Kind::Symlink,
        4 => Kind::Fifo,
        5 => Kind::Socket,
        6 => Kind::CharDevice,
        7 => Kind::BlockDevice,
        _ => return None,
    })
}

impl Record {
    fn code(&self) -> u16 {
        match self {
            Self::File(_) => 1,
            Self::Part(_) => 2,
            Self::Gone(_) => 3,
            Self::Link(_) => 4,
            Self::Unknown(code) => *code,
        }
    }

    /// Appends the record, which will stand `offset` bytes into its segment. Returns its length,
    /// or `None` if it would be longer than [`RECORD_MAX`].
    pub fn encode(&self, offset: u64, out: &mut Vec<u8>) -> Option<u32> {
        let start = out.len();
        let mut put = Put(std::mem::take(out));
        put.bytes(MAGIC);
        put.u16(VERSION);
        put.u16(self.code());
        put.u32(0);
        put.u32(0);
        put.u64(offset);
        match self {
            Self::File(file) => file.encode(&mut put, start),
            Self::Part(part) => part.encode(&mut put, start),
            Self::Gone(gone) => gone.encode(&mut put),
            Self::Link(link) => link.encode(&mut put),
            Self::Unknown(_) => {}
        }
        put.pad8(start);
        *out = put.0;
        let length = out.len() - start;
        if length > RECORD_MAX {
            out.truncate(start);
            return None;
        }
        let length = u32::try_from(length).ok()?;
        out[start + 8..start + 12].copy_from_slice(&length.to_le_bytes());
        let sum = sum_around(&out[start..], SUM_AT);
        out[start + SUM_AT..start + SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        Some(length)
    }

    /// Length of the record that starts `bytes`, if a plausible header stands there.
    pub fn peek_length(bytes: &[u8]) -> Option<usize> {
        let mut take = Take::new(bytes);
        let magic = take.bytes(4)?;
        let version = take.u16()?;
        take.u16()?;
        let length = take.count()?;
        (magic == MAGIC
            && version == VERSION
            && length.is_multiple_of(8)
            && (RECORD_HEADER..=RECORD_MAX).contains(&length))
        .then_some(length)
    }

    /// The record that `bytes` begin with, its offset within the segment, and its length; `None`
    /// if there is none or its sum is wrong.
    pub fn decode(bytes: &[u8]) -> Option<(Self, u64, usize)> {
        let length = Self::peek_length(bytes)?;
        let bytes = bytes.get(..length)?;
        let stored = u32::from_le_bytes(bytes[SUM_AT..SUM_AT + 4].try_into().ok()?);
        if stored != sum_around(bytes, SUM_AT) {
            return None;
        }
        let (record, offset) = Self::body(bytes)?;
        Some((record, offset, length))
    }

    /// The path in a record that is damaged, for naming what was lost; a guess.
    pub fn guess_path(bytes: &[u8]) -> Option<PathBuf> {
        match Self::body(bytes)?.0 {
            Self::File(file) => Some(file.path),
            Self::Link(link) => Some(link.path),
            _ => None,
        }
    }

    fn body(bytes: &[u8]) -> Option<(Self, u64)> {
        let mut take = Take::new(bytes);
        take.bytes(6)?;
        let code = take.u16()?;
        take.u64()?;
        let offset = take.u64()?;
        let record = match code {
            1 => Self::File(Box::new(FileRecord::decode(&mut take)?)),
            2 => Self::Part(PartRecord::decode(&mut take)?),
            3 => Self::Gone(GoneRecord::decode(&mut take)?),
            4 => Self::Link(LinkRecord::decode(&mut take)?),
            other => Self::Unknown(other),
        };
        Some((record, offset))
    }
}

impl Extent {
    fn encode(&self, put: &mut Put, start: usize) {
        debug_assert_eq!(self.sums.len(), sum::sums_in(self.range.len()));
        put.u64(self.range.start);
        put.u64(self.range.len());
        put.u64(self.payload);
        for sum in &self.sums {
            put.u32(*sum);
        }
        put.pad8(start);
    }

    fn decode(take: &mut Take<'_>) -> Option<Self> {
        let (start, length, payload) = (take.u64()?, take.u64()?, take.u64()?);
        if length >> 60 != 0 || start >> 63 != 0 {
            return None;
        }
        let count = sum::sums_in(length);
        let raw = take.bytes(count.checked_mul(4)?)?;
        let sums =
            raw.chunks_exact(4).map(|sum| u32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]]));
        let extent =
            Self { range: Range::new(start, start + length), payload, sums: sums.collect() };
        take.pad8()?;
        Some(extent)
    }

    fn decode_all(take: &mut Take<'_>, count: usize) -> Option<Vec<Self>> {
        let mut extents = Vec::new();
        for _ in 0..count {
            extents.push(Self::decode(take)?);
        }
        Some(extents)
    }

    /// Bytes that an extent of `length` bytes takes in a record.
    pub(crate) fn encoded_len(length: u64) -> usize {
        24 + (sum::sums_in(length) * 4).next_multiple_of(8)
    }
}

impl FileRecord {
    fn encode(&self, put: &mut Put, start: usize) {
        put.handle(&self.handle);
        put.u16(kind_code(self.kind));
        put.u16(if self.hash.is_some() { HASH_PRESENT } else { 0 });
        put.u32(self.mode);
        put.u32(self.uid);
        put.u32(self.gid);
        put.u32(self.links);
        put.u32(0);
        put.u64(self.size);
        put.u64(self.rdev);
        for time in [self.accessed, self.modified, self.changed, self.born] {
            put.time(time);
        }
        put.packed(self.archived);
        put.bytes(&self.hash.unwrap_or_default());
        let path = self.path.as_os_str().as_bytes();
        put.count(path.len());
        put.count(self.target.len());
        put.count(self.xattrs.len());
        put.count(self.extents.len());
        put.count(self.parts.len());
        put.u32(0);
        put.bytes(path);
        put.bytes(&self.target);
        for (name, value) in &self.xattrs {
            put.u16(u16::try_from(name.len()).expect("attribute names have at most 255 bytes"));
            put.u16(0);
            put.count(value.len());
            put.bytes(name);
            put.bytes(value);
        }
        put.pad8(start);
        for extent in &self.extents {
            extent.encode(put, start);
        }
        for part in &self.parts {
            put.u32(part.volume);
            put.u32(part.length);
            put.u64(part.at);
            put.u64(part.range.start);
            put.u64(part.range.len());
        }
    }

    fn decode(take: &mut Take<'_>) -> Option<Self> {
        let handle = take.handle()?;
        let kind = kind_of(take.u16()?)?;
        let flags = take.u16()?;
        let (mode, uid, gid, links) = (take.u32()?, take.u32()?, take.u32()?, take.u32()?);
        take.u32()?;
        let (size, rdev) = (take.u64()?, take.u64()?);
        let (accessed, modified) = (take.time()?, take.time()?);
        let (changed, born) = (take.time()?, take.time()?);
        let archived = take.packed()?;
        let hash = take.hash()?;
        let hash = (flags & HASH_PRESENT != 0).then_some(hash);
        let (path, target, xattr_count) = (take.count()?, take.count()?, take.count()?);
        let (extent_count, part_count) = (take.count()?, take.count()?);
        take.u32()?;
        let path = PathBuf::from(OsStr::from_bytes(take.bytes(path)?));
        let target = take.bytes(target)?.to_vec();
        let mut xattrs = Vec::new();
        for _ in 0..xattr_count {
            let name = usize::from(take.u16()?);
            take.u16()?;
            let value = take.count()?;
            xattrs.push((take.bytes(name)?.to_vec(), take.bytes(value)?.to_vec()));
        }
        take.pad8()?;
        let extents = Extent::decode_all(take, extent_count)?;
        let mut parts = Vec::new();
        for _ in 0..part_count {
            let (volume, length, at) = (take.u32()?, take.u32()?, take.u64()?);
            let (from, span) = (take.u64()?, take.u64()?);
            let range = Range::new(from, from.checked_add(span)?);
            parts.push(PartRef { volume, length, at, range });
        }
        Some(Self {
            handle,
            kind,
            mode,
            uid,
            gid,
            links,
            size,
            rdev,
            accessed,
            modified,
            changed,
            born,
            archived,
            hash,
            path,
            target,
            xattrs,
            extents,
            parts,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl PartRecord {
    fn encode(&self, put: &mut Put, start: usize) {
        put.handle(&self.handle);
        put.u64(self.range.start);
        put.u64(self.range.len());
        put.count(self.extents.len());
        put.u32(0);
        for extent in &self.extents {
            extent.encode(put, start);
        }
    }

    fn decode(take: &mut Take<'_>) -> Option<Self> {
        let handle = take.handle()?;
        let (from, span) = (take.u64()?, take.u64()?);
        let count = take.count()?;
        take.u32()?;
        let range = Range::new(from, from.checked_add(span)?);
        Some(Self { handle, range, extents: Extent::decode_all(take, count)? })
    }

    /// Bytes of a part record with extents of these lengths: known before their sums are.
    pub fn encoded_len(lengths: impl Iterator<Item = u64>) -> u64 {
        let extents: usize = lengths.map(Extent::encoded_len).sum();
        (RECORD_HEADER + 56 + extents) as u64
    }
}

impl GoneRecord {
    fn encode(&self, put: &mut Put) {
        put.handle(&self.handle);
        put.u32(self.volume);
        put.u32(0);
        put.u64(self.at);
        put.packed(self.removed);
    }

    fn decode(take: &mut Take<'_>) -> Option<Self> {
        let handle = take.handle()?;
        let volume = take.u32()?;
        take.u32()?;
        Some(Self { handle, volume, at: take.u64()?, removed: take.packed()? })
    }
}

impl LinkRecord {
    fn encode(&self, put: &mut Put) {
        put.handle(&self.handle);
        put.packed(self.archived);
        let path = self.path.as_os_str().as_bytes();
        put.count(path.len());
        put.u32(0);
        put.bytes(path);
    }

    fn decode(take: &mut Take<'_>) -> Option<Self> {
        let handle = take.handle()?;
        let archived = take.packed()?;
        let length = take.count()?;
        take.u32()?;
        let path = PathBuf::from(OsStr::from_bytes(take.bytes(length)?));
        Some(Self { handle, archived, path })
    }
}
