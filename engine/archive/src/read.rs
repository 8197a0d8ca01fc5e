//! Getting records and verified data back out of an archive.

use std::path::Path;
use std::sync::Arc;

use dray_io::limits::{BLOCK, SUM_BLOCK};
use dray_io::{Aligned, Context, Files, Operation, Range, blocks_up, sum};

use crate::archive::{Archive, Location, Open};
use crate::error::{Error, Result};
use crate::layout::RECORD_MAX;
use crate::record::{Extent, FileRecord, PartRecord, Record};

/// Bytes of data read and verified at a time by [`Archive::read`].
const CHUNK: u64 = 1 << 20;

/// An extent, with the place of the segment that holds it.
pub struct Stored<'a, W: Files> {
    pub volume: &'a Open<W>,
    /// Offset of the segment in the volume.
    pub segment: u64,
    pub extent: &'a Extent,
}

impl<W: Files> Stored<'_, W> {
    /// Where byte `offset` of the file stands in the volume.
    pub fn place(&self, offset: u64) -> u64 {
        self.segment + self.extent.payload + (offset - self.extent.range.start)
    }

    /// `wanted` widened to whole checksum blocks of this extent; `None` if they do not meet.
    pub fn blocks(&self, wanted: Range) -> Option<Range> {
        let range = self.extent.range.intersect(wanted)?;
        let base = self.extent.range.start;
        let start = base + (range.start - base) / SUM_BLOCK * SUM_BLOCK;
        let end = base + (range.end - base).next_multiple_of(SUM_BLOCK);
        Some(Range::new(start, end.min(self.extent.range.end)))
    }

    /// The checksum blocks of this extent that start in `range`; `None` if none does. Ranges that
    /// do not overlap give blocks that do not.
    pub fn blocks_starting_in(&self, range: Range) -> Option<Range> {
        let base = self.extent.range.start;
        let up = |at: u64| at.saturating_sub(base).checked_next_multiple_of(SUM_BLOCK);
        let from = base.saturating_add(up(range.start)?);
        let to = base.saturating_add(up(range.end).unwrap_or(u64::MAX));
        (from < to).then(|| Range::new(from, to).intersect(self.extent.range)).flatten()
    }

    /// The sums of `range`, which starts on a checksum block.
    pub fn sums(&self, range: Range) -> &[u32] {
        let first = ((range.start - self.extent.range.start) / SUM_BLOCK) as usize;
        &self.extent.sums[first..first + sum::sums_in(range.len())]
    }

    /// The error for a wrong sum at `offset` of the file.
    pub fn damaged(&self, file: &Path, offset: u64) -> Error {
        Error::DamagedData {
            volume: self.volume.path.clone(),
            segment: self.segment,
            file: file.to_owned(),
            offset,
        }
    }
}

impl<W: Files> Archive<W> {
    /// The record at a location, and the offset of its segment.
    pub fn record(&self, files: &W, location: Location) -> Result<(Record, u64)> {
        let volume = self.volume(files, location.volume)?;
        let damaged = |what| Error::Damaged { volume: volume.path.clone(), at: location.at, what };
        if location.length as usize > RECORD_MAX {
            return Err(damaged("the record's length is beyond what a record may have"));
        }
        let start = location.at / BLOCK * BLOCK;
        let skip = (location.at - start) as usize;
        let length = skip + location.length as usize;
        let mut buffer = Aligned::new(length);
        let got = files.read_at(&volume.file, &mut buffer, start).during_at(
            Operation::Read,
            &volume.path,
            start,
        )?;
        let bytes = buffer.get(skip..length.min(got)).unwrap_or_default();
        let (record, offset, _) =
            Record::decode(bytes).ok_or_else(|| damaged("no valid record"))?;
        let segment = location.at.checked_sub(offset);
        Ok((record, segment.ok_or_else(|| damaged("the record is out of place"))?))
    }

    /// The manifest at a location, and the offset of its segment.
    pub fn manifest(&self, files: &W, location: Location) -> Result<(Box<FileRecord>, u64)> {
        match self.record(files, location)? {
            (Record::File(file), segment) => Ok((file, segment)),
            _ => Err(Error::Damaged {
                volume: self.volume(files, location.volume)?.path.clone(),
                at: location.at,
                what: "the record is not a manifest",
            }),
        }
    }

    /// The record of one part of a large file, and the offset of its segment.
    pub fn part(&self, files: &W, location: Location) -> Result<(PartRecord, u64)> {
        match self.record(files, location)? {
            (Record::Part(part), segment) => Ok((part, segment)),
            _ => Err(Error::Damaged {
                volume: self.volume(files, location.volume)?.path.clone(),
                at: location.at,
                what: "the record is not a part",
            }),
        }
    }

    /// Calls `visit` for each extent of the file that meets `wanted`, in order. Holds one part in
    /// memory at a time.
    pub fn extents(
        &self,
        files: &W,
        manifest: &FileRecord,
        place: (u32, u64),
        wanted: Range,
        visit: &mut dyn FnMut(&Stored<'_, W>) -> Result<()>,
    ) -> Result<()> {
        let own = self.volume(files, place.0)?;
        each(&own, place.1, &manifest.extents, wanted, visit)?;
        for part in &manifest.parts {
            if part.range.intersect(wanted).is_none() {
                continue;
            }
            let location = Location { volume: part.volume, at: part.at, length: part.length };
            let volume = self.volume(files, part.volume)?;
            let (record, segment) = self.part(files, location)?;
            each(&volume, segment, &record.extents, wanted, visit)?;
        }
        Ok(())
    }

    /// Reads and verifies `wanted` of a file; `sink` gets each stretch with its file offset.
    /// Holes are not passed to it.
    pub fn read(
        &self,
        files: &W,
        manifest: &FileRecord,
        place: (u32, u64),
        wanted: Range,
        buffer: &mut Aligned,
        sink: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        buffer.reserve(CHUNK as usize);
        self.extents(files, manifest, place, wanted, &mut |stored| {
            let Some(blocks) = stored.blocks(wanted) else { return Ok(()) };
            let mut at = blocks.start;
            while at < blocks.end {
                let chunk = Range::new(at, (at + CHUNK).min(blocks.end));
                let bytes = read_verified(files, stored, chunk, &manifest.path, buffer)?;
                if let Some(part) = chunk.intersect(wanted) {
                    let from = (part.start - chunk.start) as usize;
                    sink(part.start, &bytes[from..from + part.len() as usize])?;
                }
                at = chunk.end;
            }
            Ok(())
        })
    }
}

/// Reads `chunk`, whole checksum blocks of one extent, and checks their sums.
fn read_verified<'b, W: Files>(
    files: &W,
    stored: &Stored<'_, W>,
    chunk: Range,
    file: &Path,
    buffer: &'b mut Aligned,
) -> Result<&'b [u8]> {
    let place = stored.place(chunk.start);
    let length = chunk.len() as usize;
    let padded = blocks_up(chunk.len()) as usize;
    buffer.reserve(padded);
    let got = files.read_at(&stored.volume.file, &mut buffer[..padded], place).during_at(
        Operation::Read,
        &stored.volume.path,
        place,
    )?;
    if got < length {
        return Err(stored.damaged(file, chunk.start + got as u64));
    }
    match sum::first_bad_block(&buffer[..length], stored.sums(chunk)) {
        Some(bad) => Err(stored.damaged(file, chunk.start + bad)),
        None => Ok(&buffer[..length]),
    }
}

fn each<W: Files>(
    volume: &Arc<Open<W>>,
    segment: u64,
    extents: &[Extent],
    wanted: Range,
    visit: &mut dyn FnMut(&Stored<'_, W>) -> Result<()>,
) -> Result<()> {
    for extent in extents.iter().filter(|extent| extent.range.intersect(wanted).is_some()) {
        visit(&Stored { volume, segment, extent })?;
    }
    Ok(())
}
