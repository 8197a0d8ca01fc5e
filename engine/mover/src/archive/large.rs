//! Large files, cut into pieces that all cores share; each piece is a segment. The manifest comes
//! last, when every piece is written, and one flush makes all of it durable.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dray_archive::{Extent, Mark, PartRef, PieceIndex, Record, SegmentKind, Volume};
use dray_io::limits::{BLOCK, PIECE_BYTES, PIECE_EXTENTS};
use dray_io::{
    Access, Aligned, Context, Files, Operation, Range, Ring, Stat, World, blocks_up, sum,
};

use super::small::{fresh_attribute, is_final, refusal};
use super::{Shared, lock, write_records};
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::manifest::{changed, is_unchanged, manifest, next_data};
use crate::pipeline::{Lot, Pipeline, Place, Span, Tail, Work};
use crate::standing::{Seen, changed_recently, mark_archived, standing};

/// A file whose pieces are on their way.
struct LargeFile<F: Files> {
    path: Arc<Path>,
    file: F::File,
    stat: Stat,
    recent: bool,
    state: Mutex<FileState<F>>,
}

struct FileState<F: Files> {
    /// Pieces begun and not finished.
    under_way: usize,
    /// Every piece has been begun.
    complete: bool,
    parts: Vec<PartRef>,
    volumes: Vec<Arc<Volume<F>>>,
    failure: Option<Error>,
}

/// The next piece comes from here; shared by all cores.
struct Cursor<F: Files> {
    entries: std::vec::IntoIter<Entry>,
    current: Option<Arc<LargeFile<F>>>,
    /// How far the current file has been cut.
    at: u64,
}

struct Piece<F: Files> {
    file: Arc<LargeFile<F>>,
    volume: Arc<Volume<F>>,
    mark: Mark,
    index: PieceIndex,
}

struct Core<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    cursor: &'a Mutex<Cursor<W::Files>>,
    failure: &'a Mutex<Option<Error>>,
    tail: Aligned,
}

/// Moves all of `entries`. An error means that the archive takes no more.
pub(super) fn move_all<W: World>(shared: &Shared<'_, W>, entries: Vec<Entry>) -> Result<()> {
    let cursor = Mutex::new(Cursor { entries: entries.into_iter(), current: None, at: 0 });
    let failure = Mutex::new(None);
    let ticks = || shared.world.ticks();
    let cores = shared.world.cores(&|_, ring| {
        let work = Core { shared, cursor: &cursor, failure: &failure, tail: Aligned::new(0) };
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

    /// Opens the next file that is to be archived.
    fn open_next(&self, cursor: &mut Cursor<W::Files>) -> Option<Arc<LargeFile<W::Files>>> {
        loop {
            if lock(self.failure).is_some() {
                return None;
            }
            let entry = cursor.entries.next()?;
            match self.open(&entry) {
                Ok(Some(file)) => {
                    cursor.at = 0;
                    return Some(Arc::new(file));
                }
                Ok(None) => {}
                Err(error) => self.shared.run.failed(&entry.path, &error),
            }
        }
    }

    fn open(&self, entry: &Entry) -> Result<Option<LargeFile<W::Files>>> {
        let (files, path) = (self.files(), entry.path.as_path());
        let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
        let (stat, standing) = standing(files, &file, path)?;
        entry.check(&stat)?;
        let again = stat.links > 1 && self.shared.is_under_way(stat.handle);
        if !again && let Some(why) = refusal(&standing, path)? {
            self.shared.run.skipped(path, why);
            return Ok(None);
        }
        if again || (stat.links > 1 && !self.shared.first_name(stat.handle)) {
            let archived = files.now().into();
            let link =
                dray_archive::LinkRecord { handle: stat.handle, archived, path: path.to_owned() };
            write_records(self.shared.world, self.shared.archive, &[Record::Link(link)], &[])?;
            self.shared.run.done(path, 0);
            return Ok(None);
        }
        let recent = changed_recently(&stat, files.now());
        let state = Mutex::new(FileState {
            under_way: 0,
            complete: false,
            parts: Vec::new(),
            volumes: Vec::new(),
            failure: None,
        });
        Ok(Some(LargeFile { path: Arc::from(path), file, stat, recent, state }))
    }

    /// The data of the next piece of a file: its span, and the ranges in it.
    fn cut(&self, file: &LargeFile<W::Files>, at: &mut u64) -> Result<Option<(Range, Vec<Range>)>> {
        let (start, mut bytes, mut ranges) = (*at, 0, Vec::new());
        if start >= file.stat.size {
            return Ok(None);
        }
        let most = self.shared.archive.piece_room(self.files(), PIECE_BYTES)?;
        while bytes < most && ranges.len() < PIECE_EXTENTS {
            let size = file.stat.size;
            let Some(data) = next_data(self.files(), &file.file, &file.path, *at, size)? else {
                *at = size;
                break;
            };
            let end = data.end.min(data.start + (most - bytes));
            ranges.push(Range::new(data.start, end));
            bytes += blocks_up(end - data.start);
            *at = end;
        }
        Ok((!ranges.is_empty()).then(|| (Range::new(start, *at), ranges)))
    }

    fn begin_piece(
        &self,
        file: &Arc<LargeFile<W::Files>>,
        range: Range,
        ranges: &[Range],
    ) -> Result<Piece<W::Files>> {
        let index = PieceIndex::new(file.stat.handle, range, ranges);
        let (volume, reservation) = self.shared.archive.reserve(
            self.files(),
            SegmentKind::PIECE,
            index.payload(),
            index.index(),
        )?;
        Ok(Piece { file: Arc::clone(file), volume, mark: reservation.mark, index })
    }

    /// Takes the next piece off the shared list.
    fn next_piece(&self) -> Option<Piece<W::Files>> {
        let mut cursor = lock(self.cursor);
        loop {
            let file = match cursor.current.take() {
                Some(file) => file,
                None => self.open_next(&mut cursor)?,
            };
            if lock(&file.state).failure.is_some() {
                self.cut_is_complete(&file);
                continue;
            }
            let piece = self.cut(&file, &mut cursor.at).and_then(|cut| {
                cut.map(|(range, ranges)| self.begin_piece(&file, range, &ranges)).transpose()
            });
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

    /// Writes the frame around a piece whose data is written.
    fn frame(&mut self, piece: Piece<W::Files>) -> Result<()> {
        let files = self.shared.world.files();
        let Piece { file, volume, mut mark, index } = piece;
        let (range, offset) = (index.range, index.record_offset());
        let part_length = u32::try_from(mark.index).expect("pieces bound their extents");
        let length = index.tail(&mut mark, &mut self.tail).ok_or_else(|| too_large(&file.path))?;
        volume.write(files, &self.tail[..length], mark.index_at())?;
        self.tail.reserve(BLOCK as usize);
        mark.encode_header(&mut self.tail[..BLOCK as usize]);
        volume.write(files, &self.tail[..BLOCK as usize], mark.at)?;
        volume.written(&mark);
        let part =
            PartRef { volume: mark.volume, length: part_length, at: mark.at + offset, range };
        let mut state = lock(&file.state);
        state.parts.push(part);
        if !state.volumes.iter().any(|known| Arc::ptr_eq(known, &volume)) {
            state.volumes.push(volume);
        }
        Ok(())
    }

    /// Everything of a file has been written, or something failed.
    fn conclude(&self, file: &LargeFile<W::Files>) {
        let outcome = self.try_conclude(file);
        match outcome {
            Ok(()) => self.shared.run.done(&file.path, file.stat.size),
            Err(error) => {
                self.shared.run.failed(&file.path, &error);
                if is_final(&error) {
                    lock(self.failure).get_or_insert(error);
                }
            }
        }
    }

    fn try_conclude(&self, file: &LargeFile<W::Files>) -> Result<()> {
        let (files, path) = (self.files(), &file.path);
        let (mut parts, volumes) = {
            let mut state = lock(&file.state);
            if let Some(error) = state.failure.take() {
                return Err(error);
            }
            (std::mem::take(&mut state.parts), std::mem::take(&mut state.volumes))
        };
        parts.sort_by_key(|part| part.range);
        // Compared before the manifest is written, too: it saves disowning it.
        self.compare(file)?;
        let mut record = manifest(files, &file.file, path, &file.stat, files.now())?;
        record.parts = parts;
        if self.shared.options.hash {
            record.hash = Some(self.hash(file)?);
        }
        let record = Record::File(Box::new(record));
        let locations = write_records(self.shared.world, self.shared.archive, &[record], &volumes)?;
        let location = locations[0].ok_or_else(|| too_large(path))?;
        let at = files.now();
        if let Err(error) = self.compare(file) {
            self.shared.regret(file.stat.handle, location);
            return Err(error);
        }
        let attribute = fresh_attribute(&file.stat, location);
        let seen = (!file.recent).then_some(Seen { stat: &file.stat, at });
        mark_archived(files, &file.file, path, &attribute, seen.as_ref())
    }

    /// Fails if the file is not as it was when it was opened.
    fn compare(&self, file: &LargeFile<W::Files>) -> Result<()> {
        let after =
            self.files().restat(&file.file, &file.stat).during(Operation::Stat, &file.path)?;
        if is_unchanged(&file.stat, &after) { Ok(()) } else { Err(changed(&file.path)) }
    }

    /// BLAKE3 of the whole content, in order: blocks pass the ring out of order.
    fn hash(&self, file: &LargeFile<W::Files>) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = Aligned::new(1 << 20);
        let mut at = 0;
        while at < file.stat.size {
            let got = self.files().read_at(&file.file, &mut buffer, at).during_at(
                Operation::Read,
                &file.path,
                at,
            )?;
            if got == 0 {
                return Err(changed(&file.path));
            }
            hasher.update(&buffer[..got]);
            at += got as u64;
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

fn too_large(path: &Path) -> Error {
    let bytes = dray_archive::RECORD_MAX;
    dray_archive::Error::RecordTooLarge { file: PathBuf::from(path), bytes }.into()
}

impl<W: World> Work<W::Ring> for Core<'_, '_, W> {
    type Piece = Piece<W::Files>;

    fn next(&mut self, ring: &mut W::Ring) -> Option<Lot<Self::Piece>> {
        loop {
            let piece = self.next_piece()?;
            let attached = ring.attach(&piece.file.file).and_then(|source| {
                let target = ring.attach(piece.volume.file());
                if target.is_err() {
                    ring.detach(source);
                }
                target.map(|target| (source, target))
            });
            let (source, target) = match attached {
                Ok(fixed) => fixed,
                Err(cause) => {
                    let fault = Err::<(), _>(cause).during(Operation::Register, &piece.file.path);
                    self.over(piece, fault.map_err(Error::from));
                    continue;
                }
            };
            let spans = piece.index.extents.iter().map(|extent| Span {
                source: extent.range.start,
                target: piece.mark.at + extent.payload,
                length: extent.range.len(),
            });
            return Some(Lot {
                source,
                target,
                spans: spans.collect(),
                tail: Tail::Pad,
                source_path: Arc::clone(&piece.file.path),
                target_path: Arc::from(piece.volume.path()),
                piece,
            });
        }
    }

    fn sum(&mut self, piece: &mut Self::Piece, place: Place, bytes: &[u8]) {
        let extent: &mut Extent = &mut piece.index.extents[place.span];
        let first = sum::sums_in(place.offset);
        let count = sum::sums_in(bytes.len() as u64);
        sum::sum_blocks(bytes, &mut extent.sums[first..first + count]);
        self.shared.run.moved(bytes.len() as u64);
    }

    fn finish(&mut self, ring: &mut W::Ring, lot: Lot<Self::Piece>, outcome: Result<()>) {
        ring.detach(lot.source);
        ring.detach(lot.target);
        self.over(lot.piece, outcome);
    }
}

impl<W: World> Core<'_, '_, W> {
    /// A piece has ended, well or not; the last one of a file concludes it.
    fn over(&mut self, piece: Piece<W::Files>, outcome: Result<()>) {
        let file = Arc::clone(&piece.file);
        let (volume, mark) = (Arc::clone(&piece.volume), piece.mark.clone());
        let framed = outcome.and_then(|()| self.frame(piece));
        if framed.is_err() {
            volume.abandon(self.files(), &mark);
        }
        let last = {
            let mut state = lock(&file.state);
            if let Err(error) = framed {
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
