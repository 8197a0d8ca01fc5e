//! Going through the segments of a volume, past damage.

use std::path::{Path, PathBuf};

use dray_io::limits::BLOCK;
use dray_io::{Aligned, Context, EIO, Files, Operation, Range, blocks_up, sum};

use crate::error::Result;
use crate::index::{IndexItem, items};
use crate::layout::{ArchiveId, FIRST_SEGMENT};
use crate::mark::{Mark, SegmentKind};
use crate::record::{Extent, PartRef, Record};
use crate::superblock::Superblock;

/// Bytes looked at in one read while searching or summing.
const WINDOW: usize = 1 << 20;
/// Bytes of index that are believed: an index is bounded by the records a segment can have.
const INDEX_MAX: u64 = 256 << 20;

/// A segment whose place and shape are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub mark: Mark,
    pub header_sound: bool,
    pub trailer_sound: bool,
}

/// A segment, and whether its writer had made sure of it.
#[derive(Debug, Clone)]
pub struct Found {
    pub segment: Segment,
    pub durable: bool,
}

/// What a scan comes upon.
#[derive(Debug)]
pub enum Finding {
    Segment(Found),
    /// No segment; `durable` says that there was one, so that this is damage.
    Gap {
        range: Range,
        durable: bool,
    },
}

/// A walk over a volume, segment by segment.
pub struct Scan<'a, W: Files> {
    file: &'a W::File,
    path: PathBuf,
    archive: ArchiveId,
    volume: u32,
    frontier: u64,
    durable: u64,
    at: u64,
    window: Aligned,
    index: Aligned,
    queued: Option<Segment>,
    past_bad_sectors: bool,
}

/// Up to where, from the segment boundary `from` on, the writers of a volume made sure of things.
pub(crate) fn durable_end<W: Files>(
    files: &W,
    file: &W::File,
    path: &Path,
    superblock: &Superblock,
    from: u64,
) -> Result<u64> {
    let mut scan = Scan::begin(files, file, path, superblock, from);
    while scan.next(files)?.is_some() {}
    Ok(scan.durable())
}

impl<'a, W: Files> Scan<'a, W> {
    /// Begins at `from`, a segment boundary.
    pub fn begin(
        files: &W,
        file: &'a W::File,
        path: &Path,
        superblock: &Superblock,
        from: u64,
    ) -> Self {
        // A file may be shorter than the frontier: closing moves the frontier back first.
        let size = files.stat(file).map_or(0, |stat| stat.size);
        let frontier = if size == 0 { superblock.frontier } else { superblock.frontier.min(size) };
        Self {
            file,
            path: path.to_owned(),
            archive: superblock.archive,
            volume: superblock.volume,
            frontier,
            durable: superblock.durable,
            at: from.max(FIRST_SEGMENT),
            window: Aligned::new(WINDOW),
            index: Aligned::new(BLOCK as usize),
            queued: None,
            past_bad_sectors: false,
        }
    }

    /// Takes what the device cannot read for zeros, which match no sum: to find all the damage
    /// there is. Not for who acts on what is found, since the next try may succeed.
    pub(crate) fn past_bad_sectors(mut self) -> Self {
        self.past_bad_sectors = true;
        self
    }

    /// Everything that ends at or before this offset is durable, as far as is known by now.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Where the scan stands.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next segment or gap, or `None` at the end.
    pub fn next(&mut self, files: &W) -> Result<Option<Finding>> {
        if let Some(segment) = self.queued.take() {
            return Ok(Some(self.found(segment)));
        }
        if self.at + 2 * BLOCK > self.frontier {
            return Ok(None);
        }
        let here = self.segment_at(files, self.at)?;
        if let Some(segment) = here {
            return Ok(Some(self.found(segment)));
        }
        let gap_start = self.at;
        match self.search(files, gap_start)? {
            Some(segment) if segment.mark.at == gap_start => Ok(Some(self.found(segment))),
            Some(segment) => {
                let range = Range::new(gap_start, segment.mark.at);
                self.durable = self.durable.max(segment.mark.durable);
                self.at = segment.mark.at;
                self.queued = Some(segment);
                Ok(Some(Finding::Gap { range, durable: range.end <= self.durable }))
            }
            None => {
                self.at = self.frontier;
                let damaged = gap_start < self.durable;
                let range = Range::new(gap_start, self.frontier);
                Ok(damaged.then_some(Finding::Gap { range, durable: true }))
            }
        }
    }

    fn found(&mut self, segment: Segment) -> Finding {
        self.durable = self.durable.max(segment.mark.durable);
        self.at = segment.mark.end();
        let durable = self.at <= self.durable;
        Finding::Segment(Found { segment, durable })
    }

    /// The segment whose header stands at `at`, with what its trailer says of the index.
    fn segment_at(&mut self, files: &W, at: u64) -> Result<Option<Segment>> {
        let Some(header) = self.header_at(files, at)? else { return Ok(None) };
        if header.end() > self.frontier || header.index > INDEX_MAX {
            return Ok(None);
        }
        let trailer = self.trailer_at(files, header.trailer_at())?;
        match trailer {
            Some(trailer) if header.matches(&trailer) || header.kind == SegmentKind::SKIP => {
                Ok(Some(Segment { mark: trailer, header_sound: true, trailer_sound: true }))
            }
            _ => Ok(Some(Segment { mark: header, header_sound: true, trailer_sound: false })),
        }
    }

    fn header_at(&mut self, files: &W, at: u64) -> Result<Option<Mark>> {
        let block = self.read(files, at, BLOCK as usize)?;
        let block = block.to_vec();
        Ok(Mark::decode_header(&block, &self.archive, self.volume, at))
    }

    fn trailer_at(&mut self, files: &W, at: u64) -> Result<Option<Mark>> {
        let block = self.read(files, at, BLOCK as usize)?;
        let block = block.to_vec();
        Ok(Mark::decode_trailer(&block, &self.archive, self.volume, at))
    }

    /// Looks for the next mark after `from`, where none stands.
    fn search(&mut self, files: &W, from: u64) -> Result<Option<Segment>> {
        let mut at = from + BLOCK;
        while at < self.frontier {
            let length = (WINDOW as u64).min(self.frontier - at) / BLOCK * BLOCK;
            if length == 0 {
                break;
            }
            let (archive, volume) = (self.archive, self.volume);
            let window = self.read(files, at, length as usize)?;
            let mut hit = None;
            for (index, block) in window.chunks(BLOCK as usize).enumerate() {
                let here = at + index as u64 * BLOCK;
                if let Some(mark) = Mark::decode_header(block, &archive, volume, here) {
                    hit = Some((mark, true));
                    break;
                }
                let trailer = Mark::decode_trailer(block, &archive, volume, here);
                if let Some(mark) = trailer.filter(|mark| mark.at >= from) {
                    hit = Some((mark, false));
                    break;
                }
            }
            match hit {
                Some((mark, true)) => return self.segment_at(files, mark.at),
                Some((mark, false)) => {
                    return Ok(Some(Segment { mark, header_sound: false, trailer_sound: true }));
                }
                None => at += length,
            }
        }
        Ok(None)
    }

    fn read(&mut self, files: &W, at: u64, length: usize) -> Result<&[u8]> {
        let window = &mut self.window[..length];
        fill(files, self.file, &self.path, window, at, self.past_bad_sectors)?;
        Ok(window)
    }

    /// The index of a segment, padding included.
    pub fn index(&mut self, files: &W, segment: &Segment) -> Result<&[u8]> {
        let at = segment.mark.index_at();
        let padded = blocks_up(segment.mark.index) as usize;
        self.index.reserve(padded);
        let index = &mut self.index[..padded];
        fill(files, self.file, &self.path, index, at, self.past_bad_sectors)?;
        Ok(index)
    }

    /// Whether every sum of an uncertain segment is right.
    pub fn is_sound(&mut self, files: &W, found: &Found) -> Result<bool> {
        let segment = &found.segment;
        if !segment.header_sound || !segment.trailer_sound {
            return Ok(false);
        }
        if segment.mark.kind == SegmentKind::SKIP {
            return Ok(true);
        }
        let used = segment.mark.index as usize;
        let index = self.index(files, segment)?;
        if sum::crc32c(&index[..used]) != segment.mark.index_sum {
            return Ok(false);
        }
        let index = index[..used].to_vec();
        for item in items(&index) {
            let IndexItem::Record { record, .. } = item else { return Ok(false) };
            for extent in record.extents() {
                if self.first_bad(files, &segment.mark, extent)?.is_some() {
                    return Ok(false);
                }
            }
            if let Record::File(file) = &record {
                for part in &file.parts {
                    if !self.is_part_sound(files, part)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Whether a part that an uncertain manifest lists is all there. Parts on other volumes were
    /// flushed before the manifest was written.
    fn is_part_sound(&mut self, files: &W, part: &PartRef) -> Result<bool> {
        if part.volume != self.volume || part.at + u64::from(part.length) <= self.durable {
            return Ok(true);
        }
        let start = part.at / BLOCK * BLOCK;
        let skip = (part.at - start) as usize;
        let length = blocks_up(skip as u64 + u64::from(part.length)) as usize;
        self.index.reserve(length);
        let got = files.read_at(self.file, &mut self.index[..length], start).during_at(
            Operation::Read,
            &self.path,
            start,
        )?;
        let bytes = self.index.get(skip..got).unwrap_or_default();
        let Some((Record::Part(record), offset, _)) = Record::decode(bytes) else {
            return Ok(false);
        };
        let Some(at) = part.at.checked_sub(offset) else { return Ok(false) };
        for extent in &record.extents {
            if self.first_bad_at(files, at, extent)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// File offset of the first block of an extent whose sum is wrong.
    pub fn first_bad(&mut self, files: &W, mark: &Mark, extent: &Extent) -> Result<Option<u64>> {
        self.first_bad_at(files, mark.at, extent)
    }

    fn first_bad_at(&mut self, files: &W, segment: u64, extent: &Extent) -> Result<Option<u64>> {
        let mut done = 0;
        while done < extent.range.len() {
            let length = (WINDOW as u64).min(extent.range.len() - done);
            let at = segment + extent.payload + done;
            let bytes = self.read(files, at, blocks_up(length) as usize)?;
            let first = sum::sums_in(done);
            let sums = &extent.sums[first..first + sum::sums_in(length)];
            if let Some(bad) = sum::first_bad_block(&bytes[..length as usize], sums) {
                return Ok(Some(extent.range.start + done + bad));
            }
            done += length;
        }
        Ok(None)
    }

    /// Reads a stretch of the volume, at most [`WINDOW`] bytes of whole blocks.
    pub(crate) fn stretch(&mut self, files: &W, range: Range) -> Result<&[u8]> {
        debug_assert!(range.len() <= WINDOW as u64);
        self.read(files, range.start, range.len() as usize)
    }
}

/// Reads whole blocks; beyond the end there are zeros and, if `past_bad_sectors`, where the device
/// cannot read.
fn fill<W: Files>(
    files: &W,
    file: &W::File,
    path: &Path,
    bytes: &mut [u8],
    at: u64,
    past_bad_sectors: bool,
) -> Result<()> {
    match files.read_at(file, bytes, at) {
        Ok(got) => bytes[got..].fill(0),
        Err(cause) if past_bad_sectors && cause.raw_os_error() == Some(EIO) => {
            if bytes.len() as u64 <= BLOCK {
                bytes.fill(0);
                return Ok(());
            }
            for (index, block) in bytes.chunks_mut(BLOCK as usize).enumerate() {
                fill(files, file, path, block, at + index as u64 * BLOCK, true)?;
            }
        }
        Err(cause) => return Ok(Err(cause).during_at(Operation::Read, path, at)?),
    }
    Ok(())
}

impl Record {
    /// The extents that a record keeps in its own segment.
    pub fn extents(&self) -> &[Extent] {
        match self {
            Self::File(file) => &file.extents,
            Self::Part(part) => &part.extents,
            Self::Gone(_) | Self::Link(_) | Self::Unknown(_) => &[],
        }
    }
}
