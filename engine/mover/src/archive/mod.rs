//! Copying out: files become manifests and data in volumes.
//!
//! Order, each step durable before the next: data and manifest into a segment; one flush; the
//! file compared with what was read; the state attribute. Until the last step the file is as it
//! was; after it, the archive has all of it.

mod large;
mod opened;
mod parts;
mod pieces;
mod small;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_archive::{
    Archive, GoneRecord, Location, Mark, Record, SegmentKind, Volume, records_segment,
};
use dray_io::{Files, Handle, World};

use crate::error::Result;
use crate::feed::{Feed, Queue};
use crate::pace::Pace;
use crate::tally::Run;

pub use parts::{PartJob, archive_parts, begin_archive, finish_archive};

/// Bytes of a segment that are written in one go where others are to have the device, too.
const STROKE: usize = 1 << 20;

/// How to archive.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArchiveOptions {
    /// Also keep a BLAKE3 hash per file.
    pub hash: bool,
    /// Bytes per request of the data path.
    pub unit: u32,
}

/// What hands and cores share while they archive.
pub(crate) struct Shared<'a, W: World> {
    pub(crate) world: &'a W,
    pub(crate) archive: &'a Archive<W::Files>,
    pub(crate) options: ArchiveOptions,
    pub(crate) run: &'a Run<'a>,
    /// Files with several names that are being archived under one of them.
    links: Mutex<HashSet<Handle>>,
    /// Manifests written for files that changed meanwhile.
    gone: Mutex<Vec<GoneRecord>>,
    /// Whose turn it is to read or write, where that is one hand's at a time.
    turn: Mutex<()>,
}

/// Archives everything that `feed` names. Failures of files go to the watcher; an error returned
/// means that nothing more could be done.
pub fn archive<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    options: ArchiveOptions,
    run: &Run<'_>,
) -> Result<()> {
    let shared = Shared::new(world, archive, options, run);
    loop {
        let queue = Queue::new(feed, run);
        let moved = small::pack_all(&shared, &queue).and_then(|large| match large.is_empty() {
            true => Ok(()),
            false => large::move_all(&shared, large),
        });
        // Also after an error: until then they count.
        let disowned = shared.disown();
        moved.and(disowned)?;
        if queue.is_over() {
            return Ok(());
        }
    }
}

impl<'a, W: World> Shared<'a, W> {
    fn new(
        world: &'a W,
        archive: &'a Archive<W::Files>,
        options: ArchiveOptions,
        run: &'a Run<'a>,
    ) -> Self {
        let (links, gone, turn) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { world, archive, options, run, links, gone, turn }
    }

    /// Waits until no other hand reads or writes, if somebody else waits.
    pub(crate) fn turn_to_read(&self) -> Option<MutexGuard<'_, ()>> {
        let pace = self.run.watch.pace();
        if pace == Pace::Least { self.turn(pace) } else { None }
    }

    /// Writes to a volume: where queues are to be short a stroke at a time, one hand after the
    /// other.
    pub(crate) fn write_in_turn(
        &self,
        volume: &Volume<W::Files>,
        bytes: &[u8],
        at: u64,
    ) -> Result<()> {
        let files = self.world.files();
        let mut written = 0;
        while written < bytes.len() {
            let pace = self.run.watch.pace();
            let most = if pace == Pace::Full { bytes.len() } else { STROKE };
            let _turn = self.turn(pace);
            let stroke = &bytes[written..bytes.len().min(written + most)];
            volume.write(files, stroke, at + written as u64)?;
            written += stroke.len();
        }
        Ok(())
    }

    fn turn(&self, pace: Pace) -> Option<MutexGuard<'_, ()>> {
        let turn = (pace != Pace::Full).then(|| lock(&self.turn));
        if pace == Pace::Least {
            self.run.watch.give_way();
        }
        turn
    }

    /// Whether a file with several names is met for the first time.
    pub(crate) fn first_name(&self, handle: Handle) -> bool {
        lock(&self.links).insert(handle)
    }

    /// Whether a file was met under another name in this run.
    pub(crate) fn is_under_way(&self, handle: Handle) -> bool {
        lock(&self.links).contains(&handle)
    }

    /// A file that was met under its first name is not on its way after all.
    pub(crate) fn forget(&self, handle: Handle) {
        lock(&self.links).remove(&handle);
    }

    /// A manifest was written and must not count.
    fn regret(&self, handle: Handle, manifest: Location) {
        let removed = self.world.files().now_fine().into();
        let gone = GoneRecord { handle, volume: manifest.volume, at: manifest.at, removed };
        lock(&self.gone).push(gone);
    }

    fn disown(&self) -> Result<()> {
        let gone = std::mem::take(&mut *lock(&self.gone));
        let records: Vec<Record> = gone.into_iter().map(Record::Gone).collect();
        write_records(self.world, self.archive, &records, &[]).map(drop)
    }
}

/// Writes a segment of records alone and flushes it; the places of the records. The flush covers
/// what the records rely on in their own volume, and until it has ended they count only if that is
/// sound. What they rely on in other volumes, of those in `after`, is flushed before.
pub(crate) fn write_records<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    records: &[Record],
    after: &[Arc<Volume<W::Files>>],
) -> Result<Vec<Option<Location>>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let files = world.files();
    let (places, index) = records_segment(records);
    let (volume, reservation) =
        archive.reserve(files, SegmentKind::RECORDS, 0, index.len() as u64)?;
    let mut mark = reservation.mark;
    let bytes = mark.frame_records(&index, records.len());
    for other in after.iter().filter(|other| other.number() != volume.number()) {
        other.flush(files)?;
    }
    if let Err(error) = volume.write(files, &bytes, mark.at) {
        volume.abandon(files, &mark);
        return Err(error.into());
    }
    volume.written(&mark);
    volume.flush(files)?;
    Ok(locate(&mark, &places))
}

/// Turns places within a segment into places within its volume.
pub(crate) fn locate(mark: &Mark, places: &[Option<(u64, u32)>]) -> Vec<Option<Location>> {
    let locate = |(offset, length)| Location { volume: mark.volume, at: mark.at + offset, length };
    places.iter().map(|place| place.map(locate)).collect()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
