//! Moving extents through the slots of one ring.
//!
//! ```text
//!          next block            arrived, checked          written
//!   Free ------------> Reading -------------------> Writing -------> Free
//!                      ^     | short                ^     | short
//!                      +-----+                      +-----+
//! ```
//!
//! A block owns its slot from the first to the last of these. Sums are taken while the write is
//! under way: the kernel only reads the slot then. Nothing is allocated per block.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use dray_io::limits::{BLOCK, SUM_BLOCK};
use dray_io::{Completion, Context, Fault, Fixed, Operation, Ring, Slot, blocks_up};

use crate::error::{Error, Result};
use crate::pace::Depth;
use crate::tally::{Latency, Watch};

/// Pieces under way on one core: the next begins while the last blocks of the one before are
/// still moving, and pieces of a few blocks must not leave slots empty.
const PIECES: usize = 16;

/// Reads that return something and yet come no further before the file is taken to end there: a
/// device may break off within a block, where a read resumes at the start of it.
const STALLS: u8 = 15;

/// A run of bytes to move. Both offsets are whole blocks; the length need not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub source: u64,
    pub target: u64,
    pub length: u64,
}

/// What becomes of the last bytes of a span that do not fill a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// They are written padded with zeros to a whole block.
    Pad,
    /// They are handed to [`Work::tail`], so that the target does not grow.
    Exact,
}

/// Spans that are moved between two files and finished together.
pub struct Lot<P> {
    pub piece: P,
    pub source: Fixed,
    pub target: Fixed,
    pub spans: Vec<Span>,
    pub tail: Tail,
    pub source_path: Arc<Path>,
    pub target_path: Arc<Path>,
}

/// Where a block lies: byte `offset` of span `span`.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub span: usize,
    pub offset: u64,
}

/// Where pieces come from, and what is done with their bytes on the way.
pub trait Work<R: Ring> {
    type Piece;

    /// The next piece, or `None` when there is none left.
    fn next(&mut self, ring: &mut R) -> Option<Lot<Self::Piece>>;

    /// Bytes have arrived; an error keeps them from being written.
    fn check(&mut self, _piece: &Self::Piece, _place: Place, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Whether anything may be written now; asked just before writes are submitted.
    fn may_write(&self) -> bool {
        true
    }

    /// Bytes are being written.
    fn sum(&mut self, _piece: &mut Self::Piece, _place: Place, _bytes: &[u8]) {}

    /// The whole blocks of so many bytes are written.
    fn landed(&mut self, _piece: &mut Self::Piece, _length: u32) {}

    /// The end of a span under [`Tail::Exact`].
    fn tail(&mut self, _piece: &Self::Piece, _target: u64, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// All blocks of a piece have ended; called exactly once per piece.
    fn finish(&mut self, ring: &mut R, lot: Lot<Self::Piece>, outcome: Result<()>);
}

struct Active<P> {
    lot: Lot<P>,
    /// Next block to read.
    next: Place,
    /// Blocks in slots.
    blocks: u32,
    failure: Option<Error>,
}

impl<P> Active<P> {
    fn is_exhausted(&self) -> bool {
        self.failure.is_some() || self.next.span == self.lot.spans.len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Free,
    Reading,
    Writing,
}

/// What a slot is doing.
#[derive(Debug, Clone, Copy)]
struct Flight {
    phase: Phase,
    active: usize,
    place: Place,
    /// Bytes of data in the block.
    used: u32,
    /// Bytes to write: whole blocks.
    write: u32,
    /// Bytes of the current request that have moved.
    moved: u32,
    /// Reads in a row that came no further.
    stalls: u8,
    began: u64,
}

const FREE: Flight = Flight {
    phase: Phase::Free,
    active: 0,
    place: Place { span: 0, offset: 0 },
    used: 0,
    write: 0,
    moved: 0,
    stalls: 0,
    began: 0,
};

/// The state of one core while it moves.
pub struct Pipeline<'a, R: Ring, W: Work<R>> {
    ring: &'a mut R,
    work: W,
    active: Vec<Option<Active<W::Piece>>>,
    flights: Vec<Flight>,
    free: Vec<Slot>,
    /// To be written, in whole or on.
    ready: Vec<Slot>,
    passing: Vec<Slot>,
    /// Bytes per request.
    unit: u64,
    latency: Latency,
    retries: u64,
    ticks: &'a dyn Fn() -> u64,
    depth: Depth<'a>,
    drained: bool,
}

impl<'a, R: Ring, W: Work<R>> Pipeline<'a, R, W> {
    /// `unit` bytes per request, whole checksum blocks, at most a slot; `ticks` gives nanoseconds.
    pub fn new(
        ring: &'a mut R,
        work: W,
        unit: u32,
        ticks: &'a dyn Fn() -> u64,
        watch: &'a dyn Watch,
    ) -> Self {
        let slots = ring.slots();
        let unit = u64::from(unit.min(ring.slot_bytes()));
        assert!(unit > 0 && unit.is_multiple_of(SUM_BLOCK), "requests are whole checksum blocks");
        let mut active = Vec::with_capacity(PIECES);
        active.resize_with(PIECES, || None);
        Self {
            ring,
            work,
            active,
            flights: vec![FREE; slots as usize],
            free: (0..slots).rev().map(Slot).collect(),
            ready: Vec::with_capacity(slots as usize),
            passing: Vec::with_capacity(slots as usize),
            unit,
            latency: Latency::default(),
            retries: 0,
            ticks,
            depth: Depth::new(slots as usize, watch),
            drained: false,
        }
    }

    /// Moves everything that the work has. An error here is of the ring itself; failures of
    /// pieces went to [`Work::finish`].
    pub fn run(mut self) -> Result<(W, Latency, u64)> {
        let mut done = Vec::with_capacity(self.flights.len());
        let failed = |cause| Fault {
            operation: Operation::Submit,
            path: "io_uring".into(),
            at: None,
            cause,
        };
        loop {
            self.fill();
            if !self.queue_writes() {
                continue;
            }
            if self.free.len() == self.flights.len() {
                debug_assert!(self.active.iter().all(Option::is_none));
                return Ok((self.work, self.latency, self.retries));
            }
            self.ring.submit().map_err(failed)?;
            self.sum_passing();
            self.ring.wait(&mut done).map_err(failed)?;
            for completion in done.drain(..) {
                self.complete(completion);
            }
        }
    }

    /// Gives free slots the next blocks.
    fn fill(&mut self) {
        while let Some(slot) = self.free.pop() {
            let under_way = self.flights.len() - self.free.len() - 1;
            let has_room = self.depth.has_room(under_way);
            let Some(active) = has_room.then(|| self.next_active()).flatten() else {
                self.free.push(slot);
                return;
            };
            self.begin_read(slot, active);
        }
    }

    /// A piece that has a block to read, taking a new one if none of those under way has.
    fn next_active(&mut self) -> Option<usize> {
        loop {
            let ready =
                |piece: &Option<Active<_>>| piece.as_ref().is_some_and(|p| !p.is_exhausted());
            if let Some(index) = self.active.iter().position(ready) {
                return Some(index);
            }
            let room = self.active.iter().position(Option::is_none)?;
            if self.drained {
                return None;
            }
            let Some(lot) = self.work.next(self.ring) else {
                self.drained = true;
                return None;
            };
            debug_assert!(lot.spans.iter().all(|span| span.length > 0));
            let next = Place { span: 0, offset: 0 };
            self.active[room] = Some(Active { lot, next, blocks: 0, failure: None });
            self.retire(room);
        }
    }

    fn begin_read(&mut self, slot: Slot, index: usize) {
        let active = self.active[index].as_mut().expect("chosen because it has a block");
        let place = active.next;
        let span = active.lot.spans[place.span];
        let used = (span.length - place.offset).min(self.unit);
        active.blocks += 1;
        active.next.offset += used;
        if active.next.offset == span.length {
            active.next = Place { span: place.span + 1, offset: 0 };
        }
        let padded = blocks_up(used) as u32;
        self.ring.read(active.lot.source, span.source + place.offset, slot, 0, padded);
        self.flights[slot.0 as usize] = Flight {
            phase: Phase::Reading,
            active: index,
            place,
            used: used as u32,
            write: match active.lot.tail {
                Tail::Pad => padded,
                Tail::Exact => (used / BLOCK * BLOCK) as u32,
            },
            moved: 0,
            stalls: 0,
            began: (self.ticks)(),
        };
    }

    fn complete(&mut self, completion: Completion) {
        let slot = completion.slot;
        match self.flights[slot.0 as usize].phase {
            Phase::Reading => self.was_read(slot, completion.result),
            Phase::Writing => self.was_written(slot, completion.result),
            Phase::Free => unreachable!("a completion for slot {} without request", slot.0),
        }
    }

    fn was_read(&mut self, slot: Slot, result: std::io::Result<u32>) {
        let flight = self.flights[slot.0 as usize];
        let lot = self.lot(flight.active);
        let at = lot.spans[flight.place.span].source + flight.place.offset;
        let resume = flight.moved / BLOCK as u32 * BLOCK as u32;
        match result {
            Err(cause) if is_momentary(&cause) => self.read_rest(slot, resume),
            Err(cause) => {
                let path = Arc::clone(&lot.source_path);
                let fault = Err::<(), _>(cause).during_at(Operation::Read, &path, at);
                self.fail(slot, fault.map_err(Error::from));
            }
            Ok(bytes) => {
                let moved = resume + bytes;
                if moved >= flight.used {
                    self.arrived(slot);
                } else if moved <= flight.moved && (bytes == 0 || flight.stalls == STALLS) {
                    let end = at + u64::from(moved);
                    let path = lot.source_path.to_path_buf();
                    let expected = at + u64::from(flight.used);
                    self.fail(slot, Err(Error::Shrunk { path, at: end, expected }));
                } else {
                    let flight = &mut self.flights[slot.0 as usize];
                    flight.stalls = if moved > flight.moved { 0 } else { flight.stalls + 1 };
                    flight.moved = moved.max(flight.moved);
                    let moved = flight.moved;
                    self.read_rest(slot, moved / BLOCK as u32 * BLOCK as u32);
                }
            }
        }
    }

    /// Asks for what a read left out, from block `from` of the slot on.
    fn read_rest(&mut self, slot: Slot, from: u32) {
        self.retries += 1;
        let flight = self.flights[slot.0 as usize];
        let lot = self.lot(flight.active);
        let at = lot.spans[flight.place.span].source + flight.place.offset + u64::from(from);
        let source = lot.source;
        let rest = blocks_up(u64::from(flight.used)) as u32 - from;
        self.ring.read(source, at, slot, from, rest);
    }

    fn arrived(&mut self, slot: Slot) {
        let flight = self.flights[slot.0 as usize];
        let used = flight.used as usize;
        let padded = blocks_up(used as u64) as usize;
        if used < padded {
            // A direct read fills whole blocks: what lies behind the data must not be written.
            self.ring.bytes_mut(slot)[used..padded].fill(0);
        }
        let active = self.active[flight.active].as_mut().expect("it has blocks in slots");
        if active.failure.is_some() {
            self.release(slot);
            return;
        }
        let bytes = &self.ring.bytes(slot)[..used];
        if let Err(error) = self.work.check(&active.lot.piece, flight.place, bytes) {
            self.fail(slot, Err(error));
            return;
        }
        self.flights[slot.0 as usize].moved = 0;
        if flight.write == 0 {
            self.work.sum(&mut active.lot.piece, flight.place, bytes);
            self.landed(slot);
            return;
        }
        self.flights[slot.0 as usize].phase = Phase::Writing;
        self.ready.push(slot);
        self.passing.push(slot);
    }

    /// Queues what is to be written; false if nothing may be, and its pieces have failed.
    fn queue_writes(&mut self) -> bool {
        if self.ready.is_empty() {
            return true;
        }
        let may_write = self.work.may_write();
        while let Some(slot) = self.ready.pop() {
            let flight = self.flights[slot.0 as usize];
            let lot = self.lot(flight.active);
            if !may_write {
                let path = lot.target_path.to_path_buf();
                self.fail(slot, Err(Error::LeaseEnded { path }));
                continue;
            }
            let from = flight.moved / BLOCK as u32 * BLOCK as u32;
            let at = lot.spans[flight.place.span].target + flight.place.offset + u64::from(from);
            let target = lot.target;
            self.ring.write(target, at, slot, from, flight.write - from);
        }
        if !may_write {
            self.passing.clear();
        }
        may_write
    }

    fn sum_passing(&mut self) {
        while let Some(slot) = self.passing.pop() {
            let flight = self.flights[slot.0 as usize];
            let active = self.active[flight.active].as_mut().expect("it has blocks in slots");
            let bytes = &self.ring.bytes(slot)[..flight.used as usize];
            self.work.sum(&mut active.lot.piece, flight.place, bytes);
        }
    }

    fn was_written(&mut self, slot: Slot, result: std::io::Result<u32>) {
        let flight = self.flights[slot.0 as usize];
        let lot = self.lot(flight.active);
        let at = lot.spans[flight.place.span].target + flight.place.offset;
        let path = Arc::clone(&lot.target_path);
        let resume = flight.moved / BLOCK as u32 * BLOCK as u32;
        let outcome = match result {
            Err(cause) if is_momentary(&cause) => Ok(resume),
            Ok(0) => Err(IoError::from(ErrorKind::WriteZero)),
            Ok(bytes) => Ok(resume + bytes),
            Err(cause) => Err(cause),
        };
        match outcome {
            Ok(moved) if moved >= flight.write => self.landed(slot),
            Ok(moved) => {
                self.retries += 1;
                self.flights[slot.0 as usize].moved = moved;
                self.ready.push(slot);
            }
            Err(cause) => {
                let fault = Err::<(), _>(cause).during_at(Operation::Write, &path, at);
                self.fail(slot, fault.map_err(Error::from));
            }
        }
    }

    /// The whole blocks are written; what remains is the tail.
    fn landed(&mut self, slot: Slot) {
        let flight = self.flights[slot.0 as usize];
        let active = self.active[flight.active].as_mut().expect("it has blocks in slots");
        self.work.landed(&mut active.lot.piece, flight.write);
        if flight.write < flight.used && active.failure.is_none() {
            let bytes = &self.ring.bytes(slot)[flight.write as usize..flight.used as usize];
            let span = active.lot.spans[flight.place.span];
            let at = span.target + flight.place.offset + u64::from(flight.write);
            if let Err(error) = self.work.tail(&active.lot.piece, at, bytes) {
                self.fail(slot, Err(error));
                return;
            }
        }
        let took = (self.ticks)().saturating_sub(flight.began);
        self.latency.record(took);
        self.depth.took(took);
        self.release(slot);
    }

    fn fail(&mut self, slot: Slot, error: Result<()>) {
        let active = &mut self.active[self.flights[slot.0 as usize].active];
        let active = active.as_mut().expect("it has blocks in slots");
        // The first error counts: the others mostly follow from it.
        if active.failure.is_none() {
            active.failure = error.err();
        }
        self.release(slot);
    }

    fn release(&mut self, slot: Slot) {
        let index = self.flights[slot.0 as usize].active;
        self.flights[slot.0 as usize] = FREE;
        self.free.push(slot);
        let active = self.active[index].as_mut().expect("it has blocks in slots");
        active.blocks -= 1;
        self.retire(index);
    }

    /// Finishes a piece that has nothing left to do.
    fn retire(&mut self, index: usize) {
        let over = |active: &Active<_>| active.blocks == 0 && active.is_exhausted();
        if self.active[index].as_ref().is_some_and(over)
            && let Some(active) = self.active[index].take()
        {
            let outcome = active.failure.map_or(Ok(()), Err);
            self.work.finish(self.ring, active.lot, outcome);
        }
    }

    fn lot(&self, index: usize) -> &Lot<W::Piece> {
        &self.active[index].as_ref().expect("it has blocks in slots").lot
    }
}

/// The kernel asks to be asked again.
fn is_momentary(cause: &IoError) -> bool {
    matches!(cause.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}
