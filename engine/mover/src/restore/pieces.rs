//! The pieces of stretches, which all cores write together.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use dray_archive::{Extent, Location, Open, Stored};
use dray_io::{Context, Files, Operation, Ring, World, sum};

use super::Shared;
use super::stretch::{Stretch, Stretches};
use crate::archive::lock;
use crate::cores::on_cores;
use crate::error::{Error, Result};
use crate::pipeline::{Lot, Place, Span, Tail, Work};

/// Bytes written through the page cache before they are sent on their way to the device: enough for
/// large requests, and little of what the flush in the end has to wait for.
const SENT_ON: u64 = 8 << 20;

struct Cursor<F: Files> {
    current: Option<Arc<Stretch<F>>>,
    /// Next source of extents for the current stretch: 0 is the manifest, then its parts.
    source: usize,
    /// Why no further stretch is begun.
    failure: Option<Error>,
}

struct Piece<F: Files> {
    stretch: Arc<Stretch<F>>,
    volume: Arc<Open<F>>,
    segment: u64,
    /// Sums of each span.
    sums: Vec<Vec<u32>>,
    spans: Vec<Span>,
    /// Bytes in the page cache that were not sent on.
    cached: u64,
}

struct Core<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    core: usize,
    stretches: &'a dyn Stretches<W::Files>,
    cursor: &'a Mutex<Cursor<W::Files>>,
    /// Where stretches are told of that have something in the page cache to be sent on.
    cached: Option<Sender<Arc<Stretch<W::Files>>>>,
}

/// Writes all stretches. An error means that a ring failed, and what it was moving with it.
pub(super) fn move_all<W: World>(
    shared: &Shared<'_, W>,
    stretches: &dyn Stretches<W::Files>,
) -> Result<()> {
    let cursor = Mutex::new(Cursor { current: None, source: 0, failure: None });
    let (cached, mut to_send_on) = mpsc::channel();
    let (mut cached, mut outcome) = (Some(cached), Ok(()));
    let mut main = || {
        let (cached, cursor) = (cached.take(), &cursor);
        let work = |core| Core { shared, core, stretches, cursor, cached: cached.clone() };
        outcome = on_cores(shared.world, shared.options.unit, shared.run, &work, &|error| {
            lock(cursor).failure.get_or_insert(error);
        });
    };
    if shared.options.read_next {
        shared.world.beside(&mut main, &mut || send_on(shared.world.files(), &mut to_send_on));
    } else {
        main();
    }
    outcome?;
    cursor.into_inner().ok().and_then(|cursor| cursor.failure).map_or(Ok(()), Err)
}

/// Sends what is in the page cache on, beside the cores: that waits for room in the queue of the
/// device, which they must not while there is something to be read.
fn send_on<F: Files>(files: &F, stretches: &mut Receiver<Arc<Stretch<F>>>) {
    while let Ok(stretch) = stretches.recv() {
        // Only a head start: the flush in the end sees to all of it, and finds what fails.
        let _ = files.start_flush(&stretch.target.file);
    }
}

impl<W: World> Core<'_, '_, W> {
    fn files(&self) -> &W::Files {
        self.shared.world.files()
    }

    /// The piece from the next source of extents of a stretch that has any to write.
    fn cut(
        &self,
        stretch: &Arc<Stretch<W::Files>>,
        source: &mut usize,
    ) -> Result<Option<Piece<W::Files>>> {
        let (files, archive) = (self.files(), self.shared.archive);
        // Space is reserved within the size that it has: it must not be made to grow again.
        stretch.target.check(files)?;
        while *source <= stretch.record.parts.len() {
            let now = *source;
            *source += 1;
            let part = now.checked_sub(1).map(|index| &stretch.record.parts[index]);
            let (volume, segment, extents) = match part {
                None => (archive.volume(files, stretch.place.0)?, stretch.place.1, None),
                Some(part) => {
                    let own = part.range.intersect(stretch.range).unwrap_or_default();
                    if !stretch.todo.iter().any(|range| range.intersect(own).is_some()) {
                        continue;
                    }
                    let location =
                        Location { volume: part.volume, at: part.at, length: part.length };
                    let (record, segment) = archive.part(files, location)?;
                    (archive.volume(files, part.volume)?, segment, Some(record.extents))
                }
            };
            let extents: &[Extent] = extents.as_deref().unwrap_or(&stretch.record.extents);
            let mut piece = Piece {
                stretch: Arc::clone(stretch),
                volume: Arc::clone(&volume),
                segment,
                sums: Vec::new(),
                spans: Vec::new(),
                cached: 0,
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
        let stretch = &piece.stretch;
        let target = &stretch.target;
        let Some(own) = stored.blocks_starting_in(stretch.range) else { return Ok(()) };
        for range in &stretch.todo {
            let blocks = stored.blocks(*range).and_then(|blocks| blocks.intersect(own));
            let Some(blocks) = blocks else { continue };
            // `wanted` widened every range to whole blocks, so present ranges end on them too.
            if target.attribute.present.missing(blocks) != [blocks] {
                let why = "a present range does not end on a checksum block";
                return Err(Error::BadAttribute { path: target.path.clone(), why });
            }
            self.shared.run.may_act(&target.path)?;
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
            let stretch = match cursor.current.take() {
                Some(stretch) => stretch,
                None if cursor.failure.is_some() => return None,
                None => {
                    cursor.source = 0;
                    Arc::new(self.stretches.next(self.core)?)
                }
            };
            let failed = lock(&stretch.state).failure.is_some();
            let piece = if failed { Ok(None) } else { self.cut(&stretch, &mut cursor.source) };
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
            let written = std::mem::take(&mut state.written);
            state.failure.take().map_or(Ok(written), Err)
        };
        self.stretches.conclude(self.core, stretch, outcome);
    }

    fn over(&self, piece: Piece<W::Files>, outcome: Result<()>) {
        let stretch = piece.stretch;
        let last = {
            let mut state = lock(&stretch.state);
            if let Err(error) = outcome {
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

impl<W: World> Work<W::Ring> for Core<'_, '_, W> {
    type Piece = Piece<W::Files>;

    fn next(&mut self, ring: &mut W::Ring) -> Option<Lot<Piece<W::Files>>> {
        loop {
            let piece = self.next_piece()?;
            let attached = ring.attach_both(&piece.volume.file, &piece.stretch.target.file);
            match attached {
                Ok((source, target)) => {
                    return Some(Lot {
                        source,
                        target,
                        spans: piece.spans.clone(),
                        tail: Tail::Exact,
                        source_path: Arc::from(piece.volume.path.as_path()),
                        target_path: Arc::clone(&piece.stretch.path),
                        piece,
                    });
                }
                Err(cause) => {
                    let fault =
                        Err::<(), _>(cause).during(Operation::Register, &piece.stretch.path);
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
                file: piece.stretch.target.path.clone(),
                offset: piece.spans[place.span].target + place.offset + bad,
            }
            .into()),
        }
    }

    fn may_write(&self) -> bool {
        self.shared.run.watch.may_act()
    }

    fn sum(&mut self, piece: &mut Piece<W::Files>, _place: Place, bytes: &[u8]) {
        let length = bytes.len() as u64;
        lock(&piece.stretch.state).written.bytes += length;
        self.shared.run.moved(length);
    }

    fn landed(&mut self, piece: &mut Piece<W::Files>, length: u32) {
        if !self.shared.options.read_next {
            return;
        }
        piece.cached += u64::from(length);
        if piece.cached >= SENT_ON {
            piece.cached = 0;
            let _ = self.cached.as_ref().map(|to| to.send(Arc::clone(&piece.stretch)));
        }
    }

    fn tail(&mut self, piece: &Piece<W::Files>, target: u64, bytes: &[u8]) -> Result<()> {
        lock(&piece.stretch.state).written.tails.push((target, bytes.to_vec()));
        Ok(())
    }

    fn finish(&mut self, ring: &mut W::Ring, lot: Lot<Piece<W::Files>>, outcome: Result<()>) {
        ring.detach(lot.source);
        ring.detach(lot.target);
        self.over(lot.piece, outcome);
    }
}
