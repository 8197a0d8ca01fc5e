//! Constants and little-endian primitives of the format.

use dray_io::limits::BLOCK;
use dray_io::{Handle, PackedTime, Time, sum};

/// Archive ids are 16 random bytes.
pub type ArchiveId = [u8; 16];

/// Offset of the first segment of a volume.
pub const FIRST_SEGMENT: u64 = 65536;
/// Bytes of a mark or superblock that carry meaning.
pub(crate) const MARK_LENGTH: u32 = 128;
/// Where a block's own sum stands.
pub(crate) const BLOCK_SUM_AT: usize = 124;
pub(crate) const VERSION: u16 = 1;
pub(crate) const RECORD_HEADER: usize = 24;
/// Bytes of one record. XFS allows attributes without end in number; 16 MiB is more than any
/// sane file has, and bounds what a reader allocates for a damaged length.
pub const RECORD_MAX: usize = 16 << 20;

/// Bytes being written, little-endian.
#[derive(Default)]
pub(crate) struct Put(pub(crate) Vec<u8>);

impl Put {
    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    pub(crate) fn handle(&mut self, handle: &Handle) {
        self.bytes(&handle.file_system);
        self.u64(handle.inode);
        self.u32(handle.generation);
        self.u32(0);
    }

    pub(crate) fn time(&mut self, time: Time) {
        self.bytes(&time.seconds.to_le_bytes());
        self.u32(time.nanos);
    }

    pub(crate) fn packed(&mut self, time: PackedTime) {
        self.u64(time.0);
    }

    /// A length that the caller has checked to fit.
    pub(crate) fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).expect("records are bounded by RECORD_MAX"));
    }

    pub(crate) fn pad8(&mut self, from: usize) {
        let length = self.0.len() - from;
        self.0.resize(from + length.next_multiple_of(8), 0);
    }
}

/// Bytes being read; every step may find that there are too few.
pub(crate) struct Take<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn id(&mut self) -> Option<[u8; 16]> {
        self.array()
    }

    pub(crate) fn hash(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    pub(crate) fn count(&mut self) -> Option<usize> {
        self.u32().map(|count| count as usize)
    }

    pub(crate) fn handle(&mut self) -> Option<Handle> {
        let handle =
            Handle { file_system: self.id()?, inode: self.u64()?, generation: self.u32()? };
        self.u32()?;
        Some(handle)
    }

    pub(crate) fn time(&mut self) -> Option<Time> {
        let seconds = i64::from_le_bytes(self.array()?);
        let nanos = self.u32()?;
        (nanos < 1_000_000_000).then_some(Time { seconds, nanos })
    }

    pub(crate) fn packed(&mut self) -> Option<PackedTime> {
        self.u64().map(PackedTime)
    }

    pub(crate) fn pad8(&mut self) -> Option<()> {
        let padding = self.at.next_multiple_of(8) - self.at;
        self.bytes(padding).map(drop)
    }
}

/// The sum of a block that keeps its sum at [`BLOCK_SUM_AT`].
pub(crate) fn block_sum(block: &[u8]) -> u32 {
    debug_assert_eq!(block.len() as u64, BLOCK);
    sum_around(block, BLOCK_SUM_AT)
}

/// The sum of `bytes` with the four bytes at `hole` taken as zero.
pub(crate) fn sum_around(bytes: &[u8], hole: usize) -> u32 {
    sum::crc32c_of(&[&bytes[..hole], &[0; 4], &bytes[hole + 4..]])
}
