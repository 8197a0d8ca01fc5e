//! Large files and ranges: the parts of a file are shared by all cores; the last piece to end
//! settles the file.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_archive::{Extent, FileRecord, Location, Open, Stored};
use dray_io::{Context, Files, Operation, Range, RangeSet, Ring, World, sum};

use super::settle::Target;
use super::{Shared, Wanted};
use crate::archive::lock;
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::pipeline::{Lot, Pipeline, Place, Span, Tail, Work};

struct LargeFile<F: Files> {
    path: Arc<Path>,
    target: Target<F>,
    record: Box<FileRecord>,
    /// Volume and offset of the manifest's segment.
    place: (u32, u64),
    /// Ranges to write.
    todo: Vec<Range>,
    /// What is present when all is done; `None` for everything.
    present: Option<RangeSet>,
    state: Mutex<FileState>,
}

#[derive(Default)]
struct FileState {
    under_way: usize,
    complete: bool,
    /// Ends of files that do not fill a block, with their offset.
    tails: Vec<(u64, Vec<u8>)>,
    bytes: u64,
    failure: Option<Error>,
}

struct Cursor<F: Files> {
    entries: std::vec::IntoIter<Wanted>,
    current: Option<Arc<LargeFile<F>>>,
    /// Next source of extents in the current file: 0 is the manifest, then its parts.
    source: usize,
}

struct Piece<F: Files> {
    file: Arc<LargeFile<F>>,
    volume: Arc<Open<F>>,
    segment: u64,
    /// Sums of each span.
    sums: Vec<Vec<u32>>,
    spans: Vec<Span>,
}

struct Core<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    cursor: &'a Mutex<Cursor<W::Files>>,
}

pub(super) fn restore_all<W: World>(shared: &Shared<'_, W>, wanted: Vec<Wanted>) -> Result<()> {
    let cursor = Mutex::new(Cursor { entries: wanted.into_iter(), current: None, source: 0 });
    let failure = Mutex::new(None);
    let ticks = || shared.world.ticks();
    let cores = shared.world.cores(&|_, ring| {
        let work = Core { shared, cursor: &cursor };
        match Pipeline::new(ring, work, shared.options.unit, &ticks).run() {
            Ok((_, latency, retries)) => {
                let counters = dray_io::RingCounters { retries, ..ring.counters() };
                shared.run.tally.add_ring(counters, &latency);
            }
            Err(error) => {
                lock(&failure).get_or_insert(error);
            }
        }
    });
    cores.map_err(Error::NoRing)?;
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

impl<W: World> Core<'_, '_, W> {
    fn files(&self) -> &W::Files {
        self.shared.world.files()
    }

    fn open_next(&self, cursor: &mut Cursor<W::Files>) -> Option<Arc<LargeFile<W::Files>>> {
        loop {
            let entry = cursor.entries.next()?.entry;
            match self.open(&entry) {
                Ok(Some(file)) => {
                    cursor.source = 0;
                    return Some(Arc::new(file));
                }
                Ok(None) => self.shared.run.skipped(&entry.path, "on disk already"),
                Err(error) => self.shared.run.failed(&entry.path, &error),
            }
        }
    }

    fn open(&self, entry: &Entry) -> Result<Option<LargeFile<W::Files>>> {
        let (files, archive) = (self.files(), self.shared.archive);
        let Some(mut target) = Target::open(files, entry)? else { return Ok(None) };
        let (record, place) = target.manifest(files, archive)?;
        let whole = Range::new(0, record.size);
        let wanted = match entry.range {
            None => whole,
            Some(range) => match range.intersect(whole) {
                Some(range) => self.widen(&record, place, range)?,
                None => return Ok(None),
            },
        };
        let (todo, present) = target.goal(wanted);
        target.begin(files, archive, &record, place)?;
        files.set_direct(&target.file, true).during(Operation::Open, &entry.path)?;
        let state = Mutex::default();
        let path = Arc::from(entry.path.as_path());
        Ok(Some(LargeFile { path, target, record, place, todo, present, state }))
    }

    /// Widens a range so that it cuts no checksum block.
    fn widen(&self, record: &FileRecord, place: (u32, u64), range: Range) -> Result<Range> {
        let mut wide = range;
        self.shared.archive.extents(self.files(), record, place, range, &mut |stored| {
            if let Some(blocks) = stored.blocks(range) {
                wide = Range::new(wide.start.min(blocks.start), wide.end.max(blocks.end));
            }
            Ok(())
        })?;
        Ok(wide)
    }

    /// The piece from the next source of extents of a file that has any to write.
    fn cut(
        &self,
        file: &Arc<LargeFile<W::Files>>,
        source: &mut usize,
    ) -> Result<Option<Piece<W::Files>>> {
        let (files, archive) = (self.files(), self.shared.archive);
        // Space is reserved within the size that it has: it must not be made to grow again.
        file.target.check_size(files)?;
        while *source <= file.record.parts.len() {
            let now = *source;
            *source += 1;
            let part = now.checked_sub(1).map(|index| &file.record.parts[index]);
            let (volume, segment, extents) = match part {
                None => (archive.volume(files, file.place.0)?, file.place.1, None),
                Some(part) => {
                    let meets = |range: &Range| range.intersect(part.range).is_some();
                    if !file.todo.iter().any(meets) {
                        continue;
                    }
                    let location =
                        Location { volume: part.volume, at: part.at, length: part.length };
                    let (record, segment) = archive.part(files, location)?;
                    (archive.volume(files, part.volume)?, segment, Some(record.extents))
                }
            };
            let extents: &[Extent] = extents.as_deref().unwrap_or(&file.record.extents);
            let mut piece = Piece {
                file: Arc::clone(file),
                volume: Arc::clone(&volume),
                segment,
                sums: Vec::new(),
                spans: Vec::new(),
            };
            for extent in extents {
                self.plan(&mut piece, &volume, segment, extent)?;
            }
            if !piece.spans.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// Adds the spans of one extent that are to be written, and reserves their space, so that the
    /// writes need not: they would be punted to a worker thread.
    fn plan(
        &self,
        piece: &mut Piece<W::Files>,
        volume: &Open<W::Files>,
        segment: u64,
        extent: &Extent,
    ) -> Result<()> {
        let stored = Stored { volume, segment, extent };
        let target = &piece.file.target;
        for range in &piece.file.todo {
            let Some(blocks) = stored.blocks(*range) else { continue };
            // `open` widened every range to whole blocks, so present ranges end on them too.
            if target.attribute.present.missing(blocks) != [blocks] {
                let why = "a present range does not end on a checksum block";
                return Err(Error::BadAttribute { path: target.path.clone(), why });
            }
            self.files().allocate(&target.file, blocks).during_at(
                Operation::Allocate,
                &target.path,
                blocks.start,
            )?;
            piece.sums.push(stored.sums(blocks).to_vec());
            piece.spans.push(Span {
                source: stored.place(blocks.start),
                target: blocks.start,
                length: blocks.len(),
            });
        }
        Ok(())
    }

    fn next_piece(&self) -> Option<Piece<W::Files>> {
        let mut cursor = lock(self.cursor);
        loop {
            let file = match cursor.current.take() {
                Some(file) => file,
                None => self.open_next(&mut cursor)?,
            };
            let failed = lock(&file.state).failure.is_some();
            let piece = if failed { Ok(None) } else { self.cut(&file, &mut cursor.source) };
            match piece {
                Ok(Some(piece)) => {
                    lock(&file.state).under_way += 1;
                    cursor.current = Some(file);
                    return Some(piece);
                }
                Ok(None) => self.cut_is_complete(&file),
                Err(error) => {
                    lock(&file.state).failure.get_or_insert(error);
                    self.cut_is_complete(&file);
                }
            }
        }
    }

    fn cut_is_complete(&self, file: &LargeFile<W::Files>) {
        let last = {
            let mut state = lock(&file.state);
            state.complete = true;
            state.under_way == 0
        };
        if last {
            self.conclude(file);
        }
    }

    fn conclude(&self, file: &LargeFile<W::Files>) {
        let bytes = lock(&file.state).bytes;
        match self.try_conclude(file) {
            Ok(()) => self.shared.run.done(&file.path, bytes),
            Err(error) => self.shared.run.failed(&file.path, &error),
        }
    }

    fn try_conclude(&self, file: &LargeFile<W::Files>) -> Result<()> {
        let (files, target) = (self.files(), &file.target);
        let tails = {
            let mut state = lock(&file.state);
            if let Some(error) = state.failure.take() {
                return Err(error);
            }
            std::mem::take(&mut state.tails)
        };
        files.set_direct(&target.file, false).during(Operation::Open, &target.path)?;
        target.check_size(files)?;
        for (at, bytes) in tails {
            files.write_at(&target.file, &bytes, at).during_at(
                Operation::Write,
                &target.path,
                at,
            )?;
        }
        files.sync(&target.file).during(Operation::Flush, &target.path)?;
        target.settle(files, self.shared.archive, &file.record, file.place, file.present.clone())
    }

    fn over(&self, piece: Piece<W::Files>, outcome: Result<()>) {
        let file = piece.file;
        let last = {
            let mut state = lock(&file.state);
            if let Err(error) = outcome {
                state.failure.get_or_insert(error);
            }
            state.under_way -= 1;
            state.under_way == 0 && state.complete
        };
        if last {
            self.conclude(&file);
        }
    }
}

impl<W: World> Work<W::Ring> for Core<'_, '_, W> {
    type Piece = Piece<W::Files>;

    fn next(&mut self, ring: &mut W::Ring) -> Option<Lot<Piece<W::Files>>> {
        loop {
            let piece = self.next_piece()?;
            let attached = ring.attach(&piece.volume.file).and_then(|source| {
                let target = ring.attach(&piece.file.target.file);
                if target.is_err() {
                    ring.detach(source);
                }
                target.map(|target| (source, target))
            });
            match attached {
                Ok((source, target)) => {
                    return Some(Lot {
                        source,
                        target,
                        spans: piece.spans.clone(),
                        tail: Tail::Exact,
                        source_path: Arc::from(piece.volume.path.as_path()),
                        target_path: Arc::clone(&piece.file.path),
                        piece,
                    });
                }
                Err(cause) => {
                    let fault = Err::<(), _>(cause).during(Operation::Register, &piece.file.path);
                    self.over(piece, fault.map_err(Error::from));
                }
            }
        }
    }

    /// Wrong data is never written, not even for a moment.
    fn check(&mut self, piece: &Piece<W::Files>, place: Place, bytes: &[u8]) -> Result<()> {
        let first = sum::sums_in(place.offset);
        let sums = &piece.sums[place.span][first..first + sum::sums_in(bytes.len() as u64)];
        match sum::first_bad_block(bytes, sums) {
            None => Ok(()),
            Some(bad) => Err(dray_archive::Error::DamagedData {
                volume: piece.volume.path.clone(),
                segment: piece.segment,
                file: piece.file.target.path.clone(),
                offset: piece.spans[place.span].target + place.offset + bad,
            }
            .into()),
        }
    }

    fn sum(&mut self, piece: &mut Piece<W::Files>, _place: Place, bytes: &[u8]) {
        let length = bytes.len() as u64;
        lock(&piece.file.state).bytes += length;
        self.shared.run.moved(length);
    }

    fn tail(&mut self, piece: &Piece<W::Files>, target: u64, bytes: &[u8]) -> Result<()> {
        lock(&piece.file.state).tails.push((target, bytes.to_vec()));
        Ok(())
    }

    fn finish(&mut self, ring: &mut W::Ring, lot: Lot<Piece<W::Files>>, outcome: Result<()>) {
        ring.detach(lot.source);
        ring.detach(lot.target);
        self.over(lot.piece, outcome);
    }
}
