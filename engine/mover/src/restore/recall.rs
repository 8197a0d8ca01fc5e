//! Ranges that somebody waits for: each file by itself, without a batch, and answered as soon as it
//! can be read.

use std::sync::Mutex;

use dray_archive::Archive;
use dray_io::limits::RECALL_INLINE;
use dray_io::{Context, Files, Operation, World};

use super::fill::fill;
use super::large::{self, wanted};
use super::settle::Target;
use super::{RestoreOptions, Shared, Wanted};
use crate::archive::lock;
use crate::error::Result;
use crate::feed::{Entry, Feed, Queue};
use crate::tally::{Latency, Run};

/// Restores what `feed` names, for those who wait for it. Unlike a restore it comes back before
/// what it did is durable: a crash ends those who have seen the data, too, and leaves a file whose
/// ranges are restored again.
pub fn recall<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    options: RestoreOptions,
    run: &Run<'_>,
) -> Result<()> {
    let shared = Shared { world, archive, options, run };
    loop {
        let queue = Queue::new(feed, run);
        let large = Mutex::new(Vec::new());
        let mut first = Vec::new();
        // Mostly somebody waits for one range of one file: for that no other hand is woken.
        while queue.take(&mut first) {
            if let [_] = &first[..] {
                shared.recall_all(&mut first, &large);
                continue;
            }
            let first = Mutex::new(std::mem::take(&mut first));
            world.hands(&|_| {
                let mut handful = std::mem::take(&mut *lock(&first));
                while !handful.is_empty() || queue.take(&mut handful) {
                    shared.recall_all(&mut handful, &large);
                }
            });
        }
        let large = large.into_inner().unwrap_or_default();
        if !large.is_empty() {
            large::restore_all(&shared, large)?;
        }
        if queue.is_over() {
            return Ok(());
        }
    }
}

impl<W: World> Shared<'_, W> {
    fn recall_all(&self, handful: &mut Vec<Entry>, large: &Mutex<Vec<Wanted>>) {
        let mut latency = Latency::default();
        while let Some(entry) = handful.pop() {
            let began = self.world.ticks();
            match self.recall_one(&entry) {
                Ok(Recalled::Done(bytes)) => {
                    latency.record(self.world.ticks().saturating_sub(began));
                    self.run.moved(bytes);
                    self.run.done(&entry.path, bytes);
                }
                Ok(Recalled::Present) => self.run.skipped(&entry.path, "on disk already"),
                Ok(Recalled::Large) => {
                    let path = entry.path.clone();
                    match self.look(entry) {
                        Ok(Some(wanted)) => lock(large).push(wanted),
                        Ok(None) => {}
                        Err(error) => self.run.failed(&path, &error),
                    }
                }
                Err(error) => self.run.failed(&entry.path, &error),
            }
        }
        self.run.tally.add_files(&latency);
    }

    fn recall_one(&self, entry: &Entry) -> Result<Recalled> {
        let (files, archive) = (self.world.files(), self.archive);
        if entry.range.is_none_or(|range| range.len() > RECALL_INLINE) {
            return Ok(Recalled::Large);
        }
        let Some(target) = Target::open(files, entry)? else { return Ok(Recalled::Present) };
        let (record, place) = target.manifest(files, archive)?;
        let Some(wanted) = wanted(files, archive, &record, place, entry.range)? else {
            return Ok(Recalled::Present);
        };
        let (todo, present) = target.goal(wanted);
        if todo.is_empty() {
            return Ok(Recalled::Present);
        }
        target.begin(files, archive, &record, place, self.run)?;
        fill(files, archive, &target, (&record, place), &todo, self.run)?;
        files.sync(&target.file).during(Operation::Flush, &target.path)?;
        target.settle(files, archive, &record, place, present, self.run)?;
        Ok(Recalled::Done(todo.iter().map(|range| range.len()).sum()))
    }
}

enum Recalled {
    Done(u64),
    Present,
    /// It takes the cores.
    Large,
}
