//! Stretches of files, cut into pieces that all cores share; each piece is a segment. What a
//! stretch is, and what becomes of it when its pieces are written, is its maker's affair.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dray_archive::{Extent, Mark, PartRef, PieceIndex, SegmentKind, Volume};
use dray_io::limits::{BLOCK, PIECE_BYTES, PIECE_EXTENTS};
use dray_io::{Aligned, Context, Files, Operation, Range, Ring, World, blocks_up, sum};

use super::opened::Opened;
use super::{Shared, lock};
use crate::cores::on_cores;
use crate::error::{Error, Result};
use crate::manifest::next_data;
use crate::pipeline::{Lot, Place, Span, Tail, Work};

/// Where stretches come from and go to.
pub(super) trait Stretches<F: Files>: Sync {
    /// The next to be cut. One core at a time asks.
    fn next(&self, core: usize) -> Option<Stretch<F>>;
    /// Every piece of one has ended, well or not; told once, on this core.
    fn conclude(&self, core: usize, stretch: &Stretch<F>, outcome: Result<Written<F>>);
}

/// A file, or part of one, whose pieces are on their way.
pub(super) struct Stretch<F: Files> {
    /// Which of its maker's it is.
    pub(super) index: usize,
    pub(super) opened: Opened<F>,
    pub(super) range: Range,
    state: Mutex<State<F>>,
}

/// Where the data of a stretch is now. None of it has been flushed.
pub(super) struct Written<F: Files> {
    pub(super) parts: Vec<PartRef>,
    pub(super) volumes: Vec<Arc<Volume<F>>>,
}

struct State<F: Files> {
    /// Pieces begun and not finished.
    under_way: usize,
    /// Every piece has been begun.
    complete: bool,
    written: Written<F>,
    failure: Option<Error>,
}

impl<F: Files> Stretch<F> {
    pub(super) fn new(index: usize, opened: Opened<F>, range: Range) -> Self {
        let written = Written { parts: Vec::new(), volumes: Vec::new() };
        let state = State { under_way: 0, complete: false, written, failure: None };
        Self { index, opened, range, state: Mutex::new(state) }
    }
}

/// The next piece comes from here; shared by all cores.
struct Cursor<F: Files> {
    current: Option<Arc<Stretch<F>>>,
    /// How far the current stretch has been cut.
    at: u64,
    /// Why no further stretch is begun.
    failure: Option<Error>,
}

struct Piece<F: Files> {
    stretch: Arc<Stretch<F>>,
    volume: Arc<Volume<F>>,
    mark: Mark,
    index: PieceIndex,
}

struct Core<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    core: usize,
    stretches: &'a dyn Stretches<W::Files>,
    cursor: &'a Mutex<Cursor<W::Files>>,
    tail: Aligned,
}

/// Moves all stretches. An error means that a ring failed, and what it was moving with it.
pub(super) fn move_all<W: World>(
    shared: &Shared<'_, W>,
    stretches: &dyn Stretches<W::Files>,
) -> Result<()> {
    let cursor = Mutex::new(Cursor { current: None, at: 0, failure: None });
    let work = |core| Core { shared, core, stretches, cursor: &cursor, tail: Aligned::new(0) };
    on_cores(shared.world, shared.options.unit, shared.run, &work, &|error| {
        lock(&cursor).failure.get_or_insert(error);
    })?;
    cursor.into_inner().ok().and_then(|cursor| cursor.failure).map_or(Ok(()), Err)
}

impl<W: World> Core<'_, '_, W> {
    fn files(&self) -> &W::Files {
        self.shared.world.files()
    }

    /// The data of the next piece of a stretch: its span, and the ranges in it.
    fn cut(
        &self,
        stretch: &Stretch<W::Files>,
        at: &mut u64,
    ) -> Result<Option<(Range, Vec<Range>)>> {
        let (start, mut bytes, mut ranges) = (*at, 0, Vec::new());
        let end_of_all = stretch.range.end;
        if start >= end_of_all {
            return Ok(None);
        }
        let most = self.shared.archive.piece_room(self.files(), PIECE_BYTES)?;
        while bytes < most && ranges.len() < PIECE_EXTENTS {
            let (file, path) = (&stretch.opened.file, &stretch.opened.path);
            let Some(data) = next_data(self.files(), file, path, *at, end_of_all)? else {
                *at = end_of_all;
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
        stretch: &Arc<Stretch<W::Files>>,
        range: Range,
        ranges: &[Range],
    ) -> Result<Piece<W::Files>> {
        let index = PieceIndex::new(stretch.opened.stat.handle, range, ranges);
        let (volume, reservation) = self.shared.archive.reserve(
            self.files(),
            SegmentKind::PIECE,
            index.payload(),
            index.index(),
        )?;
        Ok(Piece { stretch: Arc::clone(stretch), volume, mark: reservation.mark, index })
    }

    /// Takes the next piece off the shared list.
    fn next_piece(&self) -> Option<Piece<W::Files>> {
        let mut cursor = lock(self.cursor);
        loop {
            let stretch = match cursor.current.take() {
                Some(stretch) => stretch,
                None if cursor.failure.is_some() => return None,
                None => {
                    let stretch = self.stretches.next(self.core)?;
                    cursor.at = stretch.range.start;
                    Arc::new(stretch)
                }
            };
            if lock(&stretch.state).failure.is_some() {
                self.cut_is_complete(&stretch);
                continue;
            }
            let piece = self.cut(&stretch, &mut cursor.at).and_then(|cut| {
                cut.map(|(range, ranges)| self.begin_piece(&stretch, range, &ranges)).transpose()
            });
            match piece {
                Ok(Some(piece)) => {
                    lock(&stretch.state).under_way += 1;
                    cursor.current = Some(stretch);
                    return Some(piece);
                }
                Ok(None) => self.cut_is_complete(&stretch),
                Err(error) => {
                    lock(&stretch.state).failure.get_or_insert(error);
                    self.cut_is_complete(&stretch);
                }
            }
        }
    }

    fn cut_is_complete(&self, stretch: &Stretch<W::Files>) {
        let last = {
            let mut state = lock(&stretch.state);
            state.complete = true;
            state.under_way == 0
        };
        if last {
            self.conclude(stretch);
        }
    }

    fn conclude(&self, stretch: &Stretch<W::Files>) {
        let outcome = {
            let mut state = lock(&stretch.state);
            let State { written: Written { parts, volumes }, failure, .. } = &mut *state;
            let (parts, volumes) = (std::mem::take(parts), std::mem::take(volumes));
            failure.take().map_or(Ok(Written { parts, volumes }), Err)
        };
        self.stretches.conclude(self.core, stretch, outcome);
    }

    /// Writes the frame around a piece whose data is written.
    fn frame(&mut self, piece: Piece<W::Files>) -> Result<()> {
        let files = self.shared.world.files();
        let Piece { stretch, volume, mut mark, index } = piece;
        let (range, offset) = (index.range, index.record_offset());
        let part_length = u32::try_from(mark.index).expect("pieces bound their extents");
        let length =
            index.tail(&mut mark, &mut self.tail).ok_or_else(|| too_large(&stretch.opened.path))?;
        volume.write(files, &self.tail[..length], mark.index_at())?;
        self.tail.reserve(BLOCK as usize);
        mark.encode_header(&mut self.tail[..BLOCK as usize]);
        volume.write(files, &self.tail[..BLOCK as usize], mark.at)?;
        volume.written(&mark);
        let part =
            PartRef { volume: mark.volume, length: part_length, at: mark.at + offset, range };
        let written = &mut lock(&stretch.state).written;
        written.parts.push(part);
        if !written.volumes.iter().any(|known| Arc::ptr_eq(known, &volume)) {
            written.volumes.push(volume);
        }
        Ok(())
    }
}

pub(super) fn too_large(path: &Path) -> Error {
    let bytes = dray_archive::RECORD_MAX;
    dray_archive::Error::RecordTooLarge { file: PathBuf::from(path), bytes }.into()
}

impl<W: World> Work<W::Ring> for Core<'_, '_, W> {
    type Piece = Piece<W::Files>;

    fn next(&mut self, ring: &mut W::Ring) -> Option<Lot<Self::Piece>> {
        loop {
            let piece = self.next_piece()?;
            let attached = ring.attach_both(&piece.stretch.opened.file, piece.volume.file());
            let (source, target) = match attached {
                Ok(fixed) => fixed,
                Err(cause) => {
                    let fault =
                        Err::<(), _>(cause).during(Operation::Register, &piece.stretch.opened.path);
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
                source_path: Arc::clone(&piece.stretch.opened.path),
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
    /// A piece has ended, well or not; the last one of a stretch concludes it.
    fn over(&mut self, piece: Piece<W::Files>, outcome: Result<()>) {
        let stretch = Arc::clone(&piece.stretch);
        let (volume, mark) = (Arc::clone(&piece.volume), piece.mark.clone());
        let framed = outcome.and_then(|()| self.frame(piece));
        if framed.is_err() {
            volume.abandon(self.files(), &mark);
        }
        let last = {
            let mut state = lock(&stretch.state);
            if let Err(error) = framed {
                state.failure.get_or_insert(error);
            }
            state.under_way -= 1;
            state.under_way == 0 && state.complete
        };
        if last {
            self.conclude(&stretch);
        }
    }
}
