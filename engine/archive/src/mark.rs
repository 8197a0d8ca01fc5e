//! The marks around a segment: `docs/volume.md`, "Segment".

use dray_io::limits::BLOCK;
use dray_io::{PackedTime, blocks_up};

use crate::layout::{
    ArchiveId, BLOCK_SUM_AT, FIRST_SEGMENT, MARK_LENGTH, Put, Take, VERSION, block_sum,
};

const HEADER: &[u8; 8] = b"DRAYSEG1";
const TRAILER: &[u8; 8] = b"DRAYEND1";

/// What a segment holds; kinds unknown to this version survive decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentKind(pub u16);

impl SegmentKind {
    pub const PACKED: Self = Self(1);
    pub const PIECE: Self = Self(2);
    pub const RECORDS: Self = Self(3);
    pub const SKIP: Self = Self(4);
}

/// Header or trailer of a segment; both say the same but for the index sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub kind: SegmentKind,
    pub archive: ArchiveId,
    pub volume: u32,
    pub records: u32,
    pub sequence: u64,
    /// Offset of the segment in the volume.
    pub at: u64,
    /// Bytes of payload, whole blocks.
    pub payload: u64,
    /// Bytes of index, before padding.
    pub index: u64,
    pub durable: u64,
    pub created: PackedTime,
    /// Of the index; zero in a header.
    pub index_sum: u32,
}

impl Mark {
    /// Bytes of the whole segment.
    pub fn length(&self) -> u64 {
        Self::length_of(self.payload, self.index)
    }

    /// Bytes of a segment with so much payload and index.
    pub fn length_of(payload: u64, index: u64) -> u64 {
        2 * BLOCK + payload + blocks_up(index)
    }

    pub fn end(&self) -> u64 {
        self.at + self.length()
    }

    pub fn payload_at(&self) -> u64 {
        self.at + BLOCK
    }

    pub fn index_at(&self) -> u64 {
        self.payload_at() + self.payload
    }

    pub fn trailer_at(&self) -> u64 {
        self.end() - BLOCK
    }

    pub fn encode_header(&self, block: &mut [u8]) {
        self.encode(HEADER, 0, block);
    }

    pub fn encode_trailer(&self, block: &mut [u8]) {
        self.encode(TRAILER, self.index_sum, block);
    }

    fn encode(&self, magic: &[u8; 8], index_sum: u32, block: &mut [u8]) {
        let mut put = Put::default();
        put.bytes(magic);
        put.u16(VERSION);
        put.u16(self.kind.0);
        put.u32(MARK_LENGTH);
        put.bytes(&self.archive);
        put.u32(self.volume);
        put.u32(self.records);
        put.u64(self.sequence);
        put.u64(self.at);
        put.u64(self.payload);
        put.u64(self.index);
        put.u64(self.durable);
        put.packed(self.created);
        put.u32(index_sum);
        block.fill(0);
        block[..put.0.len()].copy_from_slice(&put.0);
        let sum = block_sum(block);
        block[BLOCK_SUM_AT..BLOCK_SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    }

    /// The header at `at`, if a valid one stands there.
    pub fn decode_header(block: &[u8], archive: &ArchiveId, volume: u32, at: u64) -> Option<Self> {
        let mark = Self::decode(HEADER, block)?;
        (mark.archive == *archive && mark.volume == volume && mark.at == at).then_some(mark)
    }

    /// The trailer whose block is at `at`, if a valid one stands there.
    pub fn decode_trailer(block: &[u8], archive: &ArchiveId, volume: u32, at: u64) -> Option<Self> {
        let mark = Self::decode(TRAILER, block)?;
        (mark.archive == *archive && mark.volume == volume && mark.trailer_at() == at)
            .then_some(mark)
    }

    fn decode(magic: &[u8; 8], block: &[u8]) -> Option<Self> {
        if block.get(..8)? != magic || block.len() as u64 != BLOCK {
            return None;
        }
        let stored = u32::from_le_bytes(block[BLOCK_SUM_AT..BLOCK_SUM_AT + 4].try_into().ok()?);
        if stored != block_sum(block) {
            return None;
        }
        let mut take = Take::new(&block[8..]);
        let version = take.u16()?;
        let kind = SegmentKind(take.u16()?);
        take.u32()?;
        let mark = Self {
            kind,
            archive: take.id()?,
            volume: take.u32()?,
            records: take.u32()?,
            sequence: take.u64()?,
            at: take.u64()?,
            payload: take.u64()?,
            index: take.u64()?,
            durable: take.u64()?,
            created: take.packed()?,
            index_sum: take.u32()?,
        };
        let whole = |bytes: u64| bytes.is_multiple_of(BLOCK);
        // No volume is larger than 2^60 bytes, so sums of these fields cannot overflow.
        let bounded = [mark.at, mark.payload, mark.index].iter().all(|field| field >> 60 == 0);
        (version == VERSION
            && bounded
            && whole(mark.at)
            && whole(mark.payload)
            && mark.at >= FIRST_SEGMENT)
            .then_some(mark)
    }

    /// Whether a header and a trailer are of one segment.
    pub fn matches(&self, trailer: &Self) -> bool {
        Self { index_sum: 0, ..self.clone() } == Self { index_sum: 0, ..trailer.clone() }
    }
}
