//! Copying extents from a file or LUN to a file or LUN.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_io::limits::{BLOCK, SUM_BLOCK};
use dray_io::{Aligned, Context, Fault, Files, Operation, Range, Ring, World, blocks_up, sum};

use crate::archive::lock;
use crate::cores::on_cores;
use crate::error::{Error, Result};
use crate::manifest::next_data;
use crate::pipeline::{Lot, Place, Span, Tail, Work};
use crate::tally::Run;

/// Bytes of a source that a core takes at a time: small enough to share evenly, large enough that
/// the list of sums stays short.
const SHARE: u64 = 64 << 20;

/// One side of a copy.
pub struct Side<'a, F> {
    pub file: &'a F,
    pub path: &'a Path,
    /// Bytes.
    pub size: u64,
    /// A block device: it has no holes and no space to reserve.
    pub is_lun: bool,
}

/// How to copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    /// Bytes per request.
    pub unit: u32,
    /// Read the target back and compare sums.
    pub verify: bool,
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of data moved.
    pub bytes: u64,
    /// Bytes of the source that were holes and stay holes.
    pub holes: u64,
    /// CRC-32C of the whole source, holes as zeros.
    pub sum: u32,
}

/// A stretch that was moved, with its sum.
#[derive(Debug, Clone, Copy)]
struct Summed {
    range: Range,
    sum: u32,
}

struct Cursor {
    /// Data of the source that is not yet shared out, and where to look for more.
    data: Range,
    at: u64,
    failure: Option<Error>,
    done: Vec<Summed>,
}

struct Share {
    range: Range,
    /// One per checksum block.
    sums: Vec<u32>,
}

struct Core<'a, W: World> {
    world: &'a W,
    source: &'a Side<'a, W::File>,
    target: &'a Side<'a, W::File>,
    cursor: &'a Mutex<Cursor>,
    paths: (Arc<Path>, Arc<Path>),
    run: &'a Run<'a>,
    /// Emptied sums of shares that are done.
    spare: Vec<Vec<u32>>,
    joins: sum::BlockJoin,
}

/// Copies all of `source` to the start of `target`, and flushes it. A target file is grown to the
/// size of the source; a target LUN must have room.
pub fn copy<W: World>(
    world: &W,
    source: &Side<'_, W::File>,
    target: &Side<'_, W::File>,
    options: CopyOptions,
    run: &Run<'_>,
) -> Result<Copied> {
    let files = world.files();
    if target.is_lun && target.size < source.size {
        let path = target.path.to_owned();
        return Err(Error::TargetTooSmall { path, room: target.size, wanted: source.size });
    }
    if !target.is_lun {
        let padded = blocks_up(source.size);
        files.truncate(target.file, padded).during_at(Operation::Truncate, target.path, padded)?;
    }
    let cursor =
        Mutex::new(Cursor { data: Range::default(), at: 0, failure: None, done: Vec::new() });
    move_shares(world, source, target, &cursor, options, run)?;
    let mut cursor = cursor.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(error) = cursor.failure.take() {
        return Err(error);
    }
    if !target.is_lun {
        files.truncate(target.file, source.size).during_at(
            Operation::Truncate,
            target.path,
            source.size,
        )?;
    }
    files.sync(target.file).during(Operation::Flush, target.path)?;
    cursor.done.sort_by_key(|summed| summed.range);
    if options.verify {
        verify(files, target, &cursor.done)?;
    }
    let bytes = cursor.done.iter().map(|summed| summed.range.len()).sum();
    Ok(Copied { bytes, holes: source.size - bytes, sum: whole_sum(&cursor.done, source.size) })
}

fn move_shares<W: World>(
    world: &W,
    source: &Side<'_, W::File>,
    target: &Side<'_, W::File>,
    cursor: &Mutex<Cursor>,
    options: CopyOptions,
    run: &Run<'_>,
) -> Result<()> {
    let work = |_| Core {
        world,
        source,
        target,
        cursor,
        paths: (Arc::from(source.path), Arc::from(target.path)),
        run,
        spare: Vec::new(),
        joins: sum::BlockJoin::new(),
    };
    on_cores(world, options.unit, run, &work, &|error| {
        lock(cursor).failure.get_or_insert(error);
    })
}

impl<W: World> Core<'_, W> {
    /// The next stretch of data, at most [`SHARE`] bytes.
    fn take(&self, cursor: &mut Cursor) -> Result<Option<Range>> {
        if cursor.failure.is_some() {
            return Ok(None);
        }
        if cursor.data.is_empty() {
            let (source, size) = (self.source, self.source.size);
            let whole = Range::new(cursor.at, size);
            let data = if source.is_lun || self.target.is_lun {
                // A hole of the source is written as zeros: the LUN holds something else.
                (!whole.is_empty()).then_some(whole)
            } else {
                next_data(self.world.files(), source.file, source.path, cursor.at, size)?
            };
            let Some(data) = data else { return Ok(None) };
            if !self.target.is_lun {
                // Within the size set before, so that no write extends the file.
                let padded = Range::new(data.start, blocks_up(data.end));
                self.world.files().allocate(self.target.file, padded).during_at(
                    Operation::Allocate,
                    self.target.path,
                    data.start,
                )?;
            }
            cursor.data = data;
            cursor.at = data.end;
        }
        let share = Range::new(cursor.data.start, cursor.data.end.min(cursor.data.start + SHARE));
        cursor.data.start = share.end;
        Ok(Some(share))
    }
}

impl<W: World> Work<W::Ring> for Core<'_, W> {
    type Piece = Share;

    fn next(&mut self, ring: &mut W::Ring) -> Option<Lot<Share>> {
        let mut cursor = lock(self.cursor);
        let range = match self.take(&mut cursor) {
            Ok(range) => range?,
            Err(error) => {
                cursor.failure = Some(error);
                return None;
            }
        };
        drop(cursor);
        let attached = ring.attach_both(self.source.file, self.target.file);
        let (source, target) = match attached {
            Ok(fixed) => fixed,
            Err(cause) => {
                let path = self.source.path.to_owned();
                let fault = Fault { operation: Operation::Register, path, at: None, cause };
                lock(self.cursor).failure.get_or_insert(fault.into());
                return None;
            }
        };
        let mut sums = self.spare.pop().unwrap_or_default();
        sums.clear();
        sums.resize(sum::sums_in(range.len()), 0);
        let span = Span { source: range.start, target: range.start, length: range.len() };
        Some(Lot {
            piece: Share { range, sums },
            source,
            target,
            spans: vec![span],
            tail: if self.target.is_lun { Tail::Exact } else { Tail::Pad },
            source_path: Arc::clone(&self.paths.0),
            target_path: Arc::clone(&self.paths.1),
        })
    }

    fn sum(&mut self, share: &mut Share, place: Place, bytes: &[u8]) {
        let first = sum::sums_in(place.offset);
        let count = sum::sums_in(bytes.len() as u64);
        sum::sum_blocks(bytes, &mut share.sums[first..first + count]);
        self.run.moved(bytes.len() as u64);
    }

    /// The end of a source that is not whole blocks: what follows it on the LUN is kept.
    fn tail(&mut self, _share: &Share, at: u64, bytes: &[u8]) -> Result<()> {
        let (files, target) = (self.world.files(), self.target);
        let mut block = Aligned::new(BLOCK as usize);
        let there = files.read_at(target.file, &mut block, at);
        // A LUN may end within a block of ours; what it has is whole blocks of its own.
        let room = there.during_at(Operation::Read, target.path, at)?.max(bytes.len());
        block[..bytes.len()].copy_from_slice(bytes);
        files.write_at(target.file, &block[..room], at).during_at(
            Operation::Write,
            target.path,
            at,
        )?;
        Ok(())
    }

    fn finish(&mut self, ring: &mut W::Ring, lot: Lot<Share>, outcome: Result<()>) {
        ring.detach(lot.source);
        ring.detach(lot.target);
        let Share { range, sums } = lot.piece;
        let mut cursor = lock(self.cursor);
        match outcome {
            Ok(()) => cursor.done.push(Summed { range, sum: self.join_blocks(&sums, range.len()) }),
            Err(error) => {
                cursor.failure.get_or_insert(error);
            }
        }
        drop(cursor);
        self.spare.push(sums);
    }
}

impl<W: World> Core<'_, W> {
    /// The sum of a stretch from those of its blocks, of which the last may be short.
    fn join_blocks(&self, sums: &[u32], length: u64) -> u32 {
        let whole = (length / SUM_BLOCK) as usize;
        let joined = sums[..whole].iter().fold(0, |sum, next| self.joins.append(sum, *next));
        sums[whole..].iter().fold(joined, |sum, last| sum::join(sum, *last, length % SUM_BLOCK))
    }
}

/// The sum of the whole source from those of its data, in order.
fn whole_sum(done: &[Summed], size: u64) -> u32 {
    let mut at = 0;
    let mut joined = 0;
    for summed in done {
        joined = sum::join(joined, sum_of_zeros(summed.range.start - at), summed.range.start - at);
        joined = sum::join(joined, summed.sum, summed.range.len());
        at = summed.range.end;
    }
    sum::join(joined, sum_of_zeros(size - at), size - at)
}

/// The sum of so many zero bytes, by doubling.
fn sum_of_zeros(length: u64) -> u32 {
    let (mut joined, mut power, mut bytes) = (0, sum::crc32c(&[0]), 1_u64);
    let mut left = length;
    while left > 0 {
        if left & 1 == 1 {
            joined = sum::join(joined, power, bytes);
        }
        left >>= 1;
        if left > 0 {
            power = sum::join(power, power, bytes);
            bytes *= 2;
        }
    }
    joined
}

/// Reads the target back and compares the sums.
fn verify<F: Files>(files: &F, target: &Side<'_, F::File>, done: &[Summed]) -> Result<()> {
    let mut buffer = Aligned::new(1 << 20);
    for summed in done {
        let (mut at, mut joined) = (summed.range.start, 0);
        while at < summed.range.end {
            let length = (summed.range.end - at).min(buffer.len() as u64) as usize;
            let padded = blocks_up(length as u64) as usize;
            let got = files.read_at(target.file, &mut buffer[..padded], at).during_at(
                Operation::Read,
                target.path,
                at,
            )?;
            if got < length {
                return Err(Error::BadCopy { path: target.path.to_owned(), at: at + got as u64 });
            }
            joined = sum::join(joined, sum::crc32c(&buffer[..length]), length as u64);
            at += length as u64;
        }
        if joined != summed.sum {
            return Err(Error::BadCopy { path: target.path.to_owned(), at: summed.range.start });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_holes_sum_like_the_bytes_they_stand_for() {
        for length in [0, 1, 2, 3, 4096, 65_537, 1_000_003] {
            assert_eq!(sum_of_zeros(length), sum::crc32c(&vec![0; length as usize]), "{length}");
        }
        let mut bytes = vec![0; 10_000];
        bytes[4096..8192].fill(9);
        let range = Range::new(4096, 8192);
        let done = [Summed { range, sum: sum::crc32c(&bytes[4096..8192]) }];
        assert_eq!(whole_sum(&done, 10_000), sum::crc32c(&bytes));
    }
}
