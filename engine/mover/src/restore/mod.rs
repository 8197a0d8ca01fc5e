//! Copying in: data comes back from the archive into files that were released.
//!
//! Order: the attribute says that data is on the move; data that matches its sums is written; one
//! flush; size and identity of the file are checked again; times are put back; the attribute says
//! what is present now. Only missing ranges are ever written, and what stands in them before is
//! checked to be nothing but the remains of a move of ours.

mod fill;
mod large;
mod parts;
mod pieces;
mod recall;
mod settle;
mod small;
mod stretch;

use std::sync::Mutex;

use dray_archive::{Archive, Location};
use dray_io::limits::SMALL_FILE;
use dray_io::{Kind, World};

use crate::archive::lock;
use crate::error::{Error, Result};
use crate::feed::{Entry, Feed, Queue};
use crate::release::{Touched, open_to_look};
use crate::standing::{Standing, standing};
use crate::tally::Run;

pub use parts::{RestoreJob, RestorePlan, begin_restore, finish_restore, restore_parts};
pub use recall::recall;

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Bytes per request of the data path.
    pub unit: u32,
    /// Somebody is about to read what comes back: large files and ranges are written through the
    /// page cache, where he finds it. What is noted of them is on its way to be durable at the
    /// end, as after a [`recall`](recall()).
    pub read_next: bool,
}

impl RestoreOptions {
    /// Nobody is known to be about to read it.
    pub fn new(unit: u32) -> Self {
        Self { unit, read_next: false }
    }
}

/// A file that is to come back.
pub(crate) struct Wanted {
    pub(crate) entry: Entry,
    pub(crate) manifest: Location,
    size: u64,
}

pub(crate) struct Shared<'a, W: World> {
    pub(crate) world: &'a W,
    pub(crate) archive: &'a Archive<W::Files>,
    pub(crate) options: RestoreOptions,
    pub(crate) run: &'a Run<'a>,
}

/// Restores every released file that `feed` names, in the order of the archive.
pub fn restore<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    options: RestoreOptions,
    run: &Run<'_>,
) -> Result<()> {
    let shared = Shared { world, archive, options, run };
    loop {
        let queue = Queue::new(feed, run);
        let mut wanted = shared.plan(&queue);
        let over = queue.is_over();
        let touched = Touched::default();
        for wanted in &wanted {
            touched.note(wanted.entry.handle, wanted.entry.path.clone());
        }
        wanted.sort_by_key(|wanted| wanted.manifest);
        while !wanted.is_empty() {
            let later = shared.set_aside(&mut wanted);
            let packed =
                |wanted: &Wanted| wanted.size <= SMALL_FILE && wanted.entry.range.is_none();
            let (small, large): (Vec<_>, Vec<_>) = wanted.into_iter().partition(packed);
            if !small.is_empty() {
                small::restore_all(&shared, small);
            }
            if !large.is_empty() {
                large::restore_all(&shared, large)?;
            }
            wanted = later;
        }
        if !options.read_next {
            touched.sync(world.files())?;
        }
        if over {
            return Ok(());
        }
    }
}

impl<W: World> Shared<'_, W> {
    /// Finds out where the data of each file is; those that are all there are passed over.
    fn plan(&self, queue: &Queue<'_, '_>) -> Vec<Wanted> {
        let wanted = Mutex::new(Vec::new());
        queue.work_off(self.world, &|handful| {
            let mut found = self.look_at_all(handful);
            lock(&wanted).append(&mut found);
        });
        wanted.into_inner().unwrap_or_default()
    }

    fn look_at_all(&self, handful: &mut Vec<Entry>) -> Vec<Wanted> {
        let mut found = Vec::new();
        while let Some(entry) = handful.pop() {
            if entry.kind != Kind::File {
                continue;
            }
            let path = entry.path.clone();
            match self.look(entry) {
                Ok(Some(one)) => found.push(one),
                Ok(None) => {}
                Err(error) => self.run.failed(&path, &error),
            }
        }
        found
    }

    /// Keeps one of each file, of a list in order, and returns those with another range of it.
    /// A file is restored by one at a time: a second would meet the lease of the first, and note
    /// as present only what is its own.
    fn set_aside(&self, wanted: &mut Vec<Wanted>) -> Vec<Wanted> {
        let mut later: Vec<Wanted> = Vec::new();
        let mut kept: Vec<Wanted> = Vec::with_capacity(wanted.len());
        for next in wanted.drain(..) {
            match kept.last().filter(|first| first.manifest == next.manifest) {
                None => kept.push(next),
                Some(first) if first.entry.range == next.entry.range => {
                    let why = "another name of a file being restored";
                    self.run.skipped(&next.entry.path, why);
                }
                Some(_) => later.push(next),
            }
        }
        *wanted = kept;
        later
    }

    fn look(&self, entry: Entry) -> Result<Option<Wanted>> {
        let (files, path) = (self.world.files(), entry.path.as_path());
        let file = open_to_look(files, path)?;
        let (stat, standing) = standing(files, &file, path)?;
        entry.check(&stat)?;
        match standing {
            Standing::Resident | Standing::Dirty(_) | Standing::Archived { .. } => {
                self.run.skipped(path, "on disk already");
                Ok(None)
            }
            Standing::Overwritten(_) => Err(Error::Overwritten { path: path.to_owned() }),
            Standing::Foreign(_) => Err(Error::ForeignAttribute { path: path.to_owned() }),
            Standing::Away { attribute, .. } => {
                let (manifest, size) = (attribute.manifest, attribute.size);
                Ok(Some(Wanted { entry, manifest, size }))
            }
        }
    }
}
