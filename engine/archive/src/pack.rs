//! Building segments: many small files into one buffer, or the frame of a large piece.

use dray_io::limits::{BLOCK, PACK_BYTES, PACK_FILES};
use dray_io::{Aligned, Handle, Range, blocks_up, sum};

use crate::mark::{Mark, SegmentKind};
use crate::record::{Extent, PartRecord, Record};

/// A segment being filled with small files. Data is read straight into it and written out of it.
pub struct Pack {
    buffer: Aligned,
    /// Bytes used, header block included; a multiple of [`BLOCK`].
    used: usize,
    records: Vec<Record>,
}

impl Default for Pack {
    fn default() -> Self {
        Self::new()
    }
}

impl Pack {
    pub fn new() -> Self {
        let buffer = Aligned::new(PACK_BYTES + 2 * BLOCK as usize);
        Self { buffer, used: BLOCK as usize, records: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of payload so far.
    pub fn payload(&self) -> u64 {
        self.used as u64 - BLOCK
    }

    /// Whether a file of `size` bytes and its record still fit.
    pub fn has_room(&self, size: u64) -> bool {
        let end = self.used as u64 + blocks_up(size);
        end <= PACK_BYTES as u64 + BLOCK && self.records.len() < PACK_FILES
    }

    /// Room for `size` bytes of data and the block that a direct read may fill beyond them. The
    /// data counts only once [`take_data`](Self::take_data) says so.
    pub fn room(&mut self, size: u64) -> &mut [u8] {
        let length = blocks_up(size) as usize;
        &mut self.buffer[self.used..self.used + length]
    }

    /// Takes over what was read into [`room`](Self::room) as bytes `range` of a file.
    pub fn take_data(&mut self, range: Range) -> Extent {
        let length = range.len() as usize;
        let padded = blocks_up(range.len()) as usize;
        // A direct read fills whole blocks: what lies behind the data must not leave the host.
        self.buffer[self.used + length..self.used + padded].fill(0);
        let mut sums = vec![0; sum::sums_in(range.len())];
        sum::sum_blocks(&self.buffer[self.used..self.used + length], &mut sums);
        let extent = Extent { range, payload: self.used as u64, sums };
        self.used += padded;
        extent
    }

    /// The bytes of an extent taken before.
    pub fn data(&self, extent: &Extent) -> &[u8] {
        &self.buffer[extent.payload as usize..][..extent.range.len() as usize]
    }

    /// Gives back everything that was taken since the payload had `payload` bytes.
    pub fn forget_data(&mut self, payload: u64) {
        debug_assert!(payload <= self.payload());
        self.used = (payload + BLOCK) as usize;
    }

    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Appends index and marks. Returns, per record pushed, its offset in the segment and its
    /// length (`None` for one that is too large and was left out), and the bytes of index.
    pub fn seal(&mut self) -> (Vec<Option<(u64, u32)>>, u64) {
        let (places, index) = encode_index(self.used as u64, &self.records);
        let end = self.used + blocks_up(index.len() as u64) as usize;
        self.buffer.reserve(end + BLOCK as usize);
        self.buffer[self.used..end].fill(0);
        self.buffer[self.used..self.used + index.len()].copy_from_slice(&index);
        (places, index.len() as u64)
    }

    /// Completes the sealed segment with its marks and returns all of it.
    pub fn frame(&mut self, mark: &mut Mark) -> &[u8] {
        assert_eq!(mark.payload, self.payload(), "the mark describes this pack");
        mark.records = u32::try_from(self.records.len()).expect("bounded by PACK_FILES");
        let index = &self.buffer[self.used..self.used + mark.index as usize];
        mark.index_sum = sum::crc32c(index);
        let trailer = (mark.length() - BLOCK) as usize;
        mark.encode_header(&mut self.buffer[..BLOCK as usize]);
        mark.encode_trailer(&mut self.buffer[trailer..trailer + BLOCK as usize]);
        &self.buffer[..mark.length() as usize]
    }

    /// Ready for the next segment.
    pub fn clear(&mut self) {
        self.used = BLOCK as usize;
        self.records.clear();
    }
}

fn encode_index(index_at: u64, records: &[Record]) -> (Vec<Option<(u64, u32)>>, Vec<u8>) {
    let mut index = Vec::with_capacity(records.len() * 320);
    let mut places = Vec::with_capacity(records.len());
    for record in records {
        let offset = index_at + index.len() as u64;
        places.push(record.encode(offset, &mut index).map(|length| (offset, length)));
    }
    (places, index)
}

/// The frame of a segment without payload; `places` as from [`Pack::seal`].
pub fn records_segment(records: &[Record]) -> (Vec<Option<(u64, u32)>>, Vec<u8>) {
    encode_index(BLOCK, records)
}

/// The index of a piece of a large file, laid out before its data is moved.
#[derive(Debug, Clone)]
pub struct PieceIndex {
    pub handle: Handle,
    /// The span of the file that the piece covers, holes included.
    pub range: Range,
    /// Extents with the place of their data; sums are filled in as blocks pass.
    pub extents: Vec<Extent>,
    payload: u64,
}

impl PieceIndex {
    /// Lays out `ranges` (data of the file, in order, starting on block boundaries) one behind
    /// the other.
    pub fn new(handle: Handle, range: Range, ranges: &[Range]) -> Self {
        let mut payload = 0;
        let extents = ranges.iter().map(|range| {
            let extent = Extent {
                range: *range,
                payload: BLOCK + payload,
                sums: vec![0; sum::sums_in(range.len())],
            };
            payload += blocks_up(range.len());
            extent
        });
        Self { handle, range, extents: extents.collect(), payload }
    }

    /// Bytes of payload, whole blocks.
    pub fn payload(&self) -> u64 {
        self.payload
    }

    /// Bytes of index.
    pub fn index(&self) -> u64 {
        PartRecord::encoded_len(self.extents.iter().map(|extent| extent.range.len()))
    }

    /// Where the part record will stand, from the start of the segment.
    pub fn record_offset(&self) -> u64 {
        BLOCK + self.payload
    }

    /// Index and trailer, one behind the other, to be written at [`Mark::index_at`]. `None` if
    /// the record is too large.
    pub fn tail(self, mark: &mut Mark, out: &mut Aligned) -> Option<usize> {
        let offset = self.record_offset();
        let record = Record::Part(PartRecord {
            handle: self.handle,
            range: self.range,
            extents: self.extents,
        });
        let mut index = Vec::new();
        record.encode(offset, &mut index)?;
        assert_eq!(index.len() as u64, mark.index, "the index has the length it was laid out with");
        mark.records = 1;
        mark.index_sum = sum::crc32c(&index);
        let padded = blocks_up(index.len() as u64) as usize;
        let total = padded + BLOCK as usize;
        out.reserve(total);
        out[..total].fill(0);
        out[..index.len()].copy_from_slice(&index);
        mark.encode_trailer(&mut out[padded..total]);
        Some(total)
    }
}

impl Mark {
    /// Frames a [`records_segment`] in one buffer, whole blocks.
    pub fn frame_records(&mut self, index: &[u8], records: usize) -> Aligned {
        assert_eq!((self.kind, self.payload), (SegmentKind::RECORDS, 0));
        assert_eq!(index.len() as u64, self.index);
        self.records = u32::try_from(records).expect("callers bound their batches");
        self.index_sum = sum::crc32c(index);
        let mut out = Aligned::new(self.length() as usize);
        let trailer = (self.length() - BLOCK) as usize;
        self.encode_header(&mut out[..BLOCK as usize]);
        out[BLOCK as usize..BLOCK as usize + index.len()].copy_from_slice(index);
        self.encode_trailer(&mut out[trailer..]);
        out
    }
}
