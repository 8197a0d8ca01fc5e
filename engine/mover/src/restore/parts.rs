//! One large file restored by several nodes.
//!
//! First one node notes in the attribute that data is on the move, durably, as the others have
//! journals of their own; then any number of them write parts of it and flush them; then one puts
//! the times back and notes what is present. In between, the attribute says what it says during any
//! restore: to stop, or to crash, is simply not to go on, and a plain restore does the rest.
//!
//! No lease can be held over all of it. So each part first looks whether somebody else's data
//! stands in its place, and the mark in the end is not certain: a release compares the content.

use std::iter::Enumerate;
use std::sync::Mutex;

use dray_archive::Archive;
use dray_io::limits::SUM_BLOCK;
use dray_io::{Context, Files, Operation, PackedTime, Range, World};

use super::large::wanted;
use super::pieces;
use super::settle::Target;
use super::stretch::{Stretch, Stretches, Written};
use super::{RestoreOptions, Shared};
use crate::archive::lock;
use crate::compare::is_filled;
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::steps::{Begun, Done, RestoreStamp};
use crate::tally::Run;

/// What is to be restored of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    pub stamp: RestoreStamp,
    /// What is missing, in order, widened to checksum blocks. The jobs must cover it.
    pub ranges: Vec<Range>,
}

/// A part of a file to be restored.
#[derive(Debug, Clone)]
pub struct RestoreJob {
    pub entry: Entry,
    pub stamp: RestoreStamp,
    /// Of what the plan wants, the checksum blocks that start here are written, each as a whole.
    /// So jobs whose ranges do not overlap never write the same byte, and jobs that cover the plan
    /// write all of it, wherever it is cut.
    pub range: Range,
}

/// Notes in a file's attribute that it is being restored: all of it, or the entry's range.
pub fn begin_restore<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    entry: &Entry,
    run: &Run<'_>,
) -> Result<Begun<RestorePlan>> {
    const THERE: Begun<RestorePlan> = Begun::Nothing("on disk already");
    let files = world.files();
    // With a lease, if one can be had, until the target is dropped.
    let Some(mut target) = Target::open(files, entry)? else { return Ok(THERE) };
    let (record, place) = target.manifest(files, archive)?;
    let Some(wanted) = wanted(files, archive, &record, place, entry.range)? else {
        return Ok(THERE);
    };
    let (ranges, _) = target.goal(wanted);
    if ranges.is_empty() {
        return Ok(THERE);
    }
    // Only a release or the end of a restore takes this stamp away again: while it is there, what
    // the parts have written is there.
    target.attribute.stamp = PackedTime::from(files.now_fine());
    let stamp = target.stamp(wanted)?;
    target.begin(files, archive, &record, place, run)?;
    files.sync(&target.file).during(Operation::Flush, &target.path)?;
    Ok(Begun::Begun(RestorePlan { stamp, ranges }))
}

/// Restores parts of files, shared by all cores. `done` hears of each once, when it is durable: how
/// many bytes were written. An error returned means that a ring failed, and with it the parts that
/// nothing was heard of.
pub fn restore_parts<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    jobs: Vec<RestoreJob>,
    unit: u32,
    run: &Run<'_>,
    done: &Done<'_, u64>,
) -> Result<()> {
    let shared = Shared { world, archive, options: RestoreOptions::new(unit), run };
    let jobs = Mutex::new(jobs.into_iter().enumerate());
    pieces::move_all(&shared, &Batch { shared: &shared, jobs, done })
}

/// Ends a restore whose parts are all written and durable; the bytes that it was to bring back.
/// The tally counts the file, but the watcher hears nothing: the outcome is in the caller's hand.
pub fn finish_restore<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    entry: &Entry,
    stamp: &RestoreStamp,
    run: &Run<'_>,
) -> Result<u64> {
    run.counted(finish(world.files(), archive, entry, stamp, run))
}

fn finish<F: Files>(
    files: &F,
    archive: &Archive<F>,
    entry: &Entry,
    stamp: &RestoreStamp,
    run: &Run<'_>,
) -> Result<u64> {
    let mut target = Target::resume(files, entry, stamp)?;
    // Keeps newcomers out until the mark is set. What others did before goes unseen all the same,
    // so the mark does not rely on it.
    let _ = files.lease(&target.file);
    let (record, place) = target.manifest(files, archive)?;
    let (ranges, present) = target.goal(stamp.wanted);
    // Somebody may have cut the file and a part made it as long again, or lost count of the parts.
    if !is_filled(files, &target.file, archive, &record, place, &ranges)? {
        return Err(Error::Incomplete { path: target.path });
    }
    target.take_up(stamp);
    target.settle(files, archive, &record, place, present, run)?;
    files.sync(&target.file).during(Operation::Flush, &target.path)?;
    Ok(ranges.iter().map(|range| range.len()).sum())
}

struct Batch<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    jobs: Mutex<Enumerate<std::vec::IntoIter<RestoreJob>>>,
    done: &'a Done<'a, u64>,
}

impl<W: World> Batch<'_, '_, W> {
    fn open(&self, index: usize, job: &RestoreJob) -> Result<Stretch<W::Files>> {
        let (files, archive) = (self.shared.world.files(), self.shared.archive);
        // Without a lease: another part of it may be under way in this very process.
        let target = Target::resume(files, &job.entry, &job.stamp)?;
        let (record, place) = target.manifest(files, archive)?;
        // The last block may end beyond the range.
        let reach = Range::new(job.range.start, job.range.end.saturating_add(SUM_BLOCK));
        if let Some(reach) = reach.intersect(job.stamp.wanted) {
            target.check_only_ours(files, archive, &record, place, reach)?;
        }
        let wanted = job.stamp.wanted;
        let stretch = Stretch::new(index, target, (record, place), wanted, job.range);
        stretch.set_direct(files, true)?;
        Ok(stretch)
    }

    fn finish(&self, stretch: &Stretch<W::Files>, written: Written) -> Result<u64> {
        let bytes = written.bytes;
        stretch.flush(self.shared.world.files(), written, self.shared.run)?;
        Ok(bytes)
    }
}

impl<W: World> Stretches<W::Files> for Batch<'_, '_, W> {
    fn next(&self, core: usize) -> Option<Stretch<W::Files>> {
        loop {
            let (index, job) = lock(&self.jobs).next()?;
            match self.open(index, &job) {
                Ok(stretch) => return Some(stretch),
                Err(error) => (self.done)(index, core, Err(error)),
            }
        }
    }

    fn conclude(&self, core: usize, stretch: &Stretch<W::Files>, outcome: Result<Written>) {
        let bytes = outcome.and_then(|written| self.finish(stretch, written));
        (self.done)(stretch.index, core, bytes);
    }
}
