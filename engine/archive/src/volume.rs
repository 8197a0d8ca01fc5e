//! One volume being written: space is reserved under a lock, written by whoever reserved it, and
//! flushed by whoever wants to rely on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dray_io::limits::{BLOCK, PIECE_EXTENTS, SUM_BLOCK};
use dray_io::{Access, Aligned, Context, Files, Kind, Operation, PackedTime, Range};

use crate::error::{Error, Result};
use crate::layout::{ArchiveId, FIRST_SEGMENT};
use crate::mark::{Mark, SegmentKind};
use crate::scan::{Finding, Scan, durable_end};
use crate::superblock::Superblock;

/// Bytes by which the frontier moves. Each move costs a flush and, on a file system, an
/// allocation, which must come before the writes so that none of them extends the file.
const STRIDE: u64 = 256 << 20;

/// Bytes of a segment that are written again at a time.
const AGAIN_BYTES: usize = 4 << 20;

/// Bytes that are settled before that is noted. Whoever is killed while it settles what one before
/// it left, however slow the device, has come so much further at least.
const SETTLED_BYTES: u64 = 16 << 20;

/// Bytes around the data of a piece, without its sums: header, trailer, record, and for each extent
/// 24 bytes, the padding of its sums, and its last block in part.
const PIECE_FRAME: u64 = 4 * BLOCK + PIECE_EXTENTS as u64 * 32;

/// A volume open for writing, locked against other processes.
pub struct Volume<W: Files> {
    file: W::File,
    path: PathBuf,
    number: u32,
    archive: ArchiveId,
    /// A file of a file system, not a LUN.
    grows: bool,
    state: Mutex<State>,
    /// Held by who flushes; taken before `state`.
    turn: Mutex<()>,
}

struct State {
    superblock: Superblock,
    /// Where the next segment begins.
    next: u64,
    sequence: u64,
    /// Segments begun and not yet flushed, by offset.
    pending: BTreeMap<u64, Pending>,
    /// A flush failed. The kernel then takes what it could not write for clean, so a later flush
    /// proves nothing: no more is promised until the volume is opened anew and read back.
    broken: bool,
}

struct Pending {
    end: u64,
    written: bool,
}

/// Space for one segment, and what its marks must say.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub mark: Mark,
}

impl<W: Files> Volume<W> {
    /// Makes a volume in `file`, which is empty or a LUN whose content is given up.
    pub fn format(
        files: &W,
        file: W::File,
        path: &Path,
        archive: ArchiveId,
        number: u32,
        capacity: u64,
    ) -> Result<Self> {
        let grows = files.stat(&file).during(Operation::Stat, path)?.kind == Kind::File;
        files.lock(&file).during(Operation::Lock, path)?;
        let superblock = Superblock {
            archive,
            volume: number,
            revision: 0,
            capacity: capacity / BLOCK * BLOCK,
            frontier: FIRST_SEGMENT,
            durable: FIRST_SEGMENT,
            created: PackedTime::from(files.now()),
        };
        let mut start = Aligned::new(FIRST_SEGMENT as usize);
        superblock.encode(&mut start[..BLOCK as usize]);
        let second = Superblock { revision: 1, ..superblock };
        second.encode(&mut start[BLOCK as usize..2 * BLOCK as usize]);
        files.write_at(&file, &start, 0).during_at(Operation::Write, path, 0)?;
        files.sync(&file).during(Operation::Flush, path)?;
        let state = Mutex::new(State {
            superblock: second,
            next: FIRST_SEGMENT,
            sequence: 1,
            pending: BTreeMap::new(),
            broken: false,
        });
        let turn = Mutex::default();
        Ok(Self { file, path: path.to_owned(), number, archive, grows, state, turn })
    }

    /// Opens a volume to append to it; settles first what a crash left uncertain. An error of
    /// kind `WouldBlock` in a [`Operation::Lock`] fault means that another process has it.
    pub fn open(files: &W, path: &Path) -> Result<Self> {
        let file = files.open(path, Access::WriteDirect).during(Operation::Open, path)?;
        files.lock(&file).during(Operation::Lock, path)?;
        let superblock = read_superblock(files, &file, path)?;
        let grows = files.stat(&file).during(Operation::Stat, path)?.kind == Kind::File;
        // What a killed writer wrote may still be in the device cache: flush before relying on it.
        files.sync(&file).during(Operation::Flush, path)?;
        let (archive, number) = (superblock.archive, superblock.volume);
        let volume = Self {
            file,
            path: path.to_owned(),
            number,
            archive,
            grows,
            state: Mutex::new(State {
                next: superblock.durable,
                sequence: 1,
                superblock,
                pending: BTreeMap::new(),
                broken: false,
            }),
            turn: Mutex::default(),
        };
        volume.settle(files)?;
        Ok(volume)
    }

    /// Finds the end and covers torn stretches with skip segments.
    fn settle(&self, files: &W) -> Result<()> {
        let mut state = self.locked();
        let from = state.superblock.durable;
        let durable = durable_end(files, &self.file, &self.path, &state.superblock, from)?;
        let mut scan = Scan::begin(files, &self.file, &self.path, &state.superblock, from);
        let mut torn = Vec::new();
        let mut gap = None;
        while let Some(finding) = scan.next(files)? {
            match finding {
                Finding::Segment(found) => {
                    // What was acknowledged stays as it is, damaged or not.
                    let durable = found.segment.mark.end() <= durable;
                    if !durable && !scan.is_sound(files, &found)? {
                        gap = gap.or(Some(found.segment.mark.at));
                        self.erase_marks(files, &found.segment.mark)?;
                        continue;
                    }
                    if let Some(start) = gap.take() {
                        torn.push(Range::new(start, found.segment.mark.at));
                    }
                    if !durable {
                        self.write_again(files, &found.segment.mark)?;
                    }
                    state.next = found.segment.mark.end();
                    state.sequence = state.sequence.max(found.segment.mark.sequence + 1);
                    let settled = state.next - state.superblock.durable.min(state.next);
                    if torn.is_empty() && settled >= SETTLED_BYTES {
                        self.settled(files, &mut state)?;
                    }
                }
                Finding::Gap { range, .. } if range.end <= durable => {}
                Finding::Gap { range, .. } => gap = gap.or(Some(range.start)),
            }
        }
        for range in &torn {
            let mark =
                self.mark(files, &state, SegmentKind::SKIP, *range, range.len() - 2 * BLOCK, 0);
            self.write_marks(files, &mark)?;
        }
        if state.next > from || !torn.is_empty() {
            self.settled(files, &mut state)?;
        }
        Ok(())
    }

    /// Everything before the next segment is sound, or covered, and written.
    fn settled(&self, files: &W, state: &mut State) -> Result<()> {
        files.sync(&self.file).during(Operation::Flush, &self.path)?;
        let settled = Superblock { durable: state.next, ..state.superblock.clone() };
        self.write_superblock(files, state, settled)
    }

    fn mark(
        &self,
        files: &W,
        state: &State,
        kind: SegmentKind,
        range: Range,
        payload: u64,
        index: u64,
    ) -> Mark {
        let mark = Mark {
            kind,
            archive: self.archive,
            volume: self.number,
            records: 0,
            sequence: state.sequence,
            at: range.start,
            payload,
            index,
            durable: state.pending.keys().next().copied().unwrap_or(state.next).min(range.start),
            created: PackedTime::from(files.now()),
            index_sum: 0,
        };
        assert_eq!(mark.end(), range.end, "a mark covers its segment");
        mark
    }

    /// Space for a segment of this shape, or [`Error::Full`].
    pub fn reserve(
        &self,
        files: &W,
        kind: SegmentKind,
        payload: u64,
        index: u64,
    ) -> Result<Reservation> {
        let length = Mark::length_of(payload, index);
        let mut state = self.locked();
        self.check_whole(&state)?;
        let range = Range::new(state.next, state.next + length);
        if range.end > state.superblock.capacity {
            return Err(Error::Full { path: self.path.clone(), wanted: length });
        }
        if range.end > state.superblock.frontier {
            self.move_frontier(files, &mut state, range.end)?;
        }
        let mark = self.mark(files, &state, kind, range, payload, index);
        state.pending.insert(range.start, Pending { end: range.end, written: false });
        state.sequence += 1;
        state.next = range.end;
        Ok(Reservation { mark })
    }

    fn move_frontier(&self, files: &W, state: &mut State, end: u64) -> Result<()> {
        let old = state.superblock.frontier;
        // Bounds what the next writer has to look at should this one be killed.
        let durable = state.pending.keys().next().copied().unwrap_or(state.next);
        let known = Superblock { durable, ..state.superblock.clone() };
        let new = (end.max(old) + STRIDE).min(state.superblock.capacity);
        if self.grows {
            let range = Range::new(old, new);
            if let Err(cause) = files.allocate(&self.file, range) {
                // Near a full file system, take what the segment needs and no more.
                if cause.kind() != std::io::ErrorKind::StorageFull {
                    return Err(cause).during_at(Operation::Allocate, &self.path, old)?;
                }
                files.allocate(&self.file, Range::new(old, end)).during_at(
                    Operation::Allocate,
                    &self.path,
                    old,
                )?;
                return self.write_superblock(files, state, Superblock { frontier: end, ..known });
            }
        }
        self.write_superblock(files, state, Superblock { frontier: new, ..known })
    }

    /// Writes both copies, one after the other is durable: a torn write leaves one, and a copy
    /// that is damaged later can be done without.
    fn write_superblock(&self, files: &W, state: &mut State, new: Superblock) -> Result<()> {
        let mut new = new;
        for _ in 0..2 {
            new.revision += 1;
            // What was written since the last flush may be what failed to get to the device.
            self.write_copy(files, &new).inspect_err(|_| state.broken = true)?;
        }
        state.superblock = new;
        Ok(())
    }

    fn write_copy(&self, files: &W, superblock: &Superblock) -> Result<()> {
        let at = superblock.offset();
        let mut block = Aligned::new(BLOCK as usize);
        superblock.encode(&mut block);
        files.write_at(&self.file, &block, at).during_at(Operation::Write, &self.path, at)?;
        files.sync(&self.file).during(Operation::Flush, &self.path)?;
        Ok(())
    }

    /// Writes what stands in a sound segment once more. Its writer may have been told that a flush
    /// failed: the kernel then takes for clean what is not on the device, and reads it back from
    /// memory all the same.
    fn write_again(&self, files: &W, mark: &Mark) -> Result<()> {
        if mark.kind == SegmentKind::SKIP {
            return self.write_marks(files, mark);
        }
        let mut buffer = Aligned::new(AGAIN_BYTES.min(mark.length() as usize));
        let mut at = mark.at;
        while at < mark.end() {
            let length = (mark.end() - at).min(buffer.len() as u64);
            let stretch = &mut buffer[..length as usize];
            files.read_at(&self.file, stretch, at).during_at(Operation::Read, &self.path, at)?;
            self.write(files, stretch, at)?;
            at += length;
        }
        Ok(())
    }

    /// Takes away the marks of a torn segment. The stretch will be covered by a skip segment; but
    /// should that one's header be damaged one day, a search must not come upon these.
    fn erase_marks(&self, files: &W, mark: &Mark) -> Result<()> {
        let zeros = Aligned::new(BLOCK as usize);
        self.write(files, &zeros, mark.at)?;
        self.write(files, &zeros, mark.trailer_at())
    }

    /// Writes header and trailer of a segment without index.
    fn write_marks(&self, files: &W, mark: &Mark) -> Result<()> {
        let mut block = Aligned::new(BLOCK as usize);
        mark.encode_header(&mut block);
        self.write(files, &block, mark.at)?;
        mark.encode_trailer(&mut block);
        self.write(files, &block, mark.trailer_at())
    }

    /// Writes whole blocks at an offset of the volume that the caller has reserved.
    pub fn write(&self, files: &W, bytes: &[u8], at: u64) -> Result<()> {
        files.write_at(&self.file, bytes, at).during_at(Operation::Write, &self.path, at)?;
        Ok(())
    }

    /// All of a reserved segment has been written; the next flush makes it durable.
    pub fn written(&self, mark: &Mark) {
        let mut state = self.locked();
        let pending = state.pending.get_mut(&mark.at).expect("the segment was reserved here");
        assert_eq!(pending.end, mark.end(), "the segment is the one reserved");
        pending.written = true;
    }

    /// Gives up a reserved segment: the stretch becomes a skip segment. The error that led here
    /// is the one to report, so a failure to write the marks is left for the next
    /// [`open`](Self::open) to find.
    pub fn abandon(&self, files: &W, mark: &Mark) {
        let payload = mark.length() - 2 * BLOCK;
        let skip =
            Mark { kind: SegmentKind::SKIP, records: 0, payload, index: 0, index_sum: 0, ..*mark };
        if self.write_marks(files, &skip).is_ok() {
            self.written(mark);
        }
    }

    /// Makes everything that was [`written`](Self::written) before the call durable.
    pub fn flush(&self, files: &W) -> Result<()> {
        let wanted = self.written_pending()?;
        // One at a time: the kernel tells of an error once, and all whom it concerns must hear of
        // it. What was written while another flush went on is flushed by the next, for all.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = self.written_pending()?;
        if !wanted.iter().any(|at| covered.contains(at)) {
            return Ok(());
        }
        let flushed = files.sync(&self.file).during(Operation::Flush, &self.path);
        let mut state = self.locked();
        if let Err(fault) = flushed {
            state.broken = true;
            return Err(fault.into());
        }
        // A flush that failed meanwhile may have taken the blame for these segments.
        self.check_whole(&state)?;
        for at in covered {
            state.pending.remove(&at);
        }
        Ok(())
    }

    /// Offsets of the segments that a flush now would make durable.
    fn written_pending(&self) -> Result<Vec<u64>> {
        let state = self.locked();
        self.check_whole(&state)?;
        Ok(state.pending.iter().filter(|(_, p)| p.written).map(|(at, _)| *at).collect())
    }

    fn check_whole(&self, state: &State) -> Result<()> {
        if state.broken { Err(Error::Broken { path: self.path.clone() }) } else { Ok(()) }
    }

    /// Ends writing: gives unused space back and notes in the superblock that all is durable.
    pub fn close(self, files: &W) -> Result<()> {
        self.flush(files)?;
        let mut state = self.locked();
        if !state.pending.is_empty() {
            // A segment was begun and never written: leave it to the next open to settle.
            return Ok(());
        }
        let (next, frontier) = (state.next, state.superblock.frontier);
        if state.superblock.durable == next && (!self.grows || frontier == next) {
            return Ok(());
        }
        let frontier = if self.grows { next } else { frontier };
        let closed = Superblock { durable: next, frontier, ..state.superblock.clone() };
        self.write_superblock(files, &mut state, closed)?;
        if self.grows {
            // Only now: a frontier beyond the end of the file is harmless, the reverse is not.
            files.truncate(&self.file, next).during_at(Operation::Truncate, &self.path, next)?;
        }
        Ok(())
    }

    /// Bytes of payload that the data of one file can have in a segment here.
    pub(crate) fn piece_room(&self) -> u64 {
        let state = self.locked();
        let left = state.superblock.capacity.saturating_sub(state.next);
        // Sums, extents and marks: at most so much beside it.
        let frame = PIECE_FRAME + left / SUM_BLOCK * 4;
        left.saturating_sub(frame) / BLOCK * BLOCK
    }

    /// Whether nothing was ever written to it.
    pub(crate) fn is_empty(&self) -> bool {
        self.locked().next == FIRST_SEGMENT
    }

    pub fn file(&self) -> &W::File {
        &self.file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn archive(&self) -> &ArchiveId {
        &self.archive
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The valid superblock of a volume.
pub(crate) fn read_superblock<W: Files>(
    files: &W,
    file: &W::File,
    path: &Path,
) -> Result<Superblock> {
    let mut copies = Aligned::new(2 * BLOCK as usize);
    let got = files.read_at(file, &mut copies, 0).during_at(Operation::Read, path, 0)?;
    if got < copies.len() {
        return Err(Error::NotAVolume { path: path.to_owned(), why: "it is too short" });
    }
    Superblock::newest(&copies).map_err(|why| Error::NotAVolume { path: path.to_owned(), why })
}
