//! Ranges that somebody waits for: each file by itself, without a batch, and answered as soon as it
//! can be read.

use dray_archive::Archive;
use dray_io::{Context, Files, Operation, World};

use super::fill::fill;
use super::large::wanted;
use super::settle::Target;
use super::{RestoreOptions, Shared};
use crate::error::Result;
use crate::feed::{Entry, Feed, Queue};
use crate::tally::{Latency, Run};

/// Restores what `feed` names, for those who wait for it, with blocking calls: meant for ranges up
/// to [`RECALL_INLINE`](dray_io::limits::RECALL_INLINE).
///
/// Unlike a restore it comes back before what it did is durable: a crash ends those who have seen
/// the data, too, and leaves a file whose ranges are restored again.
pub fn recall<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    run: &Run<'_>,
) -> Result<()> {
    // It moves data by calls of its own, not by requests of some size.
    let options = RestoreOptions::default();
    let shared = Shared { world, archive, options, run };
    loop {
        let queue = Queue::new(feed, run);
        queue.work_off(world, &|handful| shared.recall_all(handful));
        if queue.is_over() {
            return Ok(());
        }
    }
}

impl<W: World> Shared<'_, W> {
    fn recall_all(&self, handful: &mut Vec<Entry>) {
        let mut latency = Latency::default();
        while let Some(entry) = handful.pop() {
            let began = self.world.ticks();
            match self.recall_one(&entry) {
                Ok(Some(bytes)) => {
                    latency.record(self.world.ticks().saturating_sub(began));
                    self.run.moved(bytes);
                    self.run.done(&entry.path, bytes);
                }
                Ok(None) => self.run.skipped(&entry.path, "on disk already"),
                Err(error) => self.run.failed(&entry.path, &error),
            }
        }
        self.run.tally.add_files(&latency);
    }

    /// Bytes restored; none if all was there.
    fn recall_one(&self, entry: &Entry) -> Result<Option<u64>> {
        let (files, archive) = (self.world.files(), self.archive);
        let Some(target) = Target::open(files, entry)? else { return Ok(None) };
        let (record, place) = target.manifest(files, archive)?;
        let Some(wanted) = wanted(files, archive, &record, place, entry.range)? else {
            return Ok(None);
        };
        let (todo, present) = target.goal(wanted);
        if todo.is_empty() {
            return Ok(None);
        }
        target.begin(files, archive, &record, place, self.run)?;
        fill(files, archive, &target, (&record, place), &todo, self.run)?;
        files.sync(&target.file).during(Operation::Flush, &target.path)?;
        target.settle(files, archive, &record, place, present, self.run)?;
        Ok(Some(todo.iter().map(|range| range.len()).sum()))
    }
}
