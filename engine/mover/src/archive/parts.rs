//! One large file archived by several nodes, each of them with an archive of its own over the same
//! volumes.
//!
//! First one node looks at the file; then any number of them write parts of it, each into a volume
//! that it has to itself, and flush them; then one writes the manifest and marks the file. Every
//! step opens the file anew and holds it against the stamp of the first one. Until the last step
//! the file is as it was: to stop is simply not to go on, and costs the space of the parts.

use std::iter::Enumerate;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_archive::{Archive, Location, PartRef};
use dray_io::limits::{PART_UNIT, SUM_BLOCK};
use dray_io::{Access, Aligned, Context, Files, Kind, Operation, Range, World};

use super::large::commit;
use super::opened::Opened;
use super::pieces::{self, Stretch, Stretches, Written};
use super::small::refusal;
use super::{ArchiveOptions, Shared, lock};
use crate::compare::zeros;
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::manifest::changed;
use crate::standing::{may_change_unseen, standing};
use crate::steps::{ArchiveStamp, Begun, Done};
use crate::tally::Run;

/// A part of a file to be written into a volume.
#[derive(Debug, Clone)]
pub struct PartJob {
    pub entry: Entry,
    pub stamp: ArchiveStamp,
    /// Bytes of the file: whole multiples of [`PART_UNIT`], but for the end of the file.
    pub range: Range,
}

/// Looks at a file that is to be archived in parts. Its names and links do not matter: it is
/// archived under the one that is given.
pub fn begin_archive<W: World>(world: &W, entry: &Entry) -> Result<Begun<ArchiveStamp>> {
    let (files, path) = (world.files(), entry.path.as_path());
    let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
    let (stat, standing) = standing(files, &file, path)?;
    entry.check(&stat)?;
    if stat.kind != Kind::File {
        return Err(changed(path));
    }
    if let Some(why) = refusal(&standing, path)? {
        return Ok(Begun::Nothing(why));
    }
    let recent = may_change_unseen(files, &file, &stat, files.now(), path)?;
    Ok(Begun::Begun(ArchiveStamp::new(&stat, recent)))
}

/// Writes parts of files into a volume of this archive, shared by all cores. `done` hears of each
/// once, when it is durable and the file was still as the stamp has it: where its data is, which
/// is nowhere if it was a hole. An error returned means that a ring failed, and with it the parts
/// that nothing was heard of.
pub fn archive_parts<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    jobs: Vec<PartJob>,
    unit: u32,
    run: &Run<'_>,
    done: &Done<'_, Vec<PartRef>>,
) -> Result<()> {
    let shared = Shared::new(world, archive, ArchiveOptions { hash: false, unit }, run);
    let jobs = Mutex::new(jobs.into_iter().enumerate());
    pieces::move_all(&shared, &Batch { shared: &shared, jobs, done })
}

/// Writes the manifest of a file whose `parts`, of all jobs together, are in volumes and durable,
/// and marks the file as archived; its bytes. The tally counts the file, but the watcher hears
/// nothing: the outcome is in the caller's hand.
pub fn finish_archive<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    entry: &Entry,
    stamp: &ArchiveStamp,
    parts: Vec<PartRef>,
    options: ArchiveOptions,
    run: &Run<'_>,
) -> Result<u64> {
    let opened = open(world.files(), entry, stamp)?;
    let mut parts = parts;
    parts.sort_by_key(|part| part.range);
    check_parts(world.files(), archive, &opened, &parts)?;
    let shared = Shared::new(world, archive, options, run);
    // The parts are durable, in whichever volume: none needs a flush beside the manifest's own.
    let committed = commit(&shared, &opened, parts, &[]);
    let disowned = shared.disown();
    run.counted(committed.and(disowned).map(|()| stamp.size))
}

/// Opens a file that must be as the stamp has it. As long as it stays open nobody can release it.
fn open<F: Files>(files: &F, entry: &Entry, stamp: &ArchiveStamp) -> Result<Opened<F>> {
    let path = entry.path.as_path();
    let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
    let (stat, standing) = standing(files, &file, path)?;
    entry.check(&stat)?;
    if stat.handle != stamp.handle {
        return Err(Error::AnotherFile { path: path.to_owned() });
    }
    // Somebody archived it meanwhile, or even released it, or wrote to it.
    if refusal(&standing, path)?.is_some() || !stamp.fits(&stat) {
        return Err(changed(path));
    }
    let marked = standing.attribute().is_some();
    Ok(Opened { path: Arc::from(path), file, stat, recent: stamp.recent, marked })
}

struct Batch<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    jobs: Mutex<Enumerate<std::vec::IntoIter<PartJob>>>,
    done: &'a Done<'a, Vec<PartRef>>,
}

impl<W: World> Batch<'_, '_, W> {
    fn open(&self, job: &PartJob) -> Result<Opened<W::Files>> {
        let (range, size) = (job.range, job.stamp.size);
        let whole = |at: u64| at.is_multiple_of(PART_UNIT);
        if range.end > size || !whole(range.start) || !(whole(range.end) || range.end == size) {
            return Err(bad(&job.entry.path, "a part is cut where it must not be"));
        }
        open(self.shared.world.files(), &job.entry, &job.stamp)
    }

    fn finish(
        &self,
        stretch: &Stretch<W::Files>,
        written: Written<W::Files>,
    ) -> Result<Vec<PartRef>> {
        let files = self.shared.world.files();
        for volume in &written.volumes {
            volume.flush(files)?;
        }
        stretch.opened.compare(files)?;
        let mut parts = written.parts;
        parts.sort_by_key(|part| part.range);
        Ok(parts)
    }
}

impl<W: World> Stretches<W::Files> for Batch<'_, '_, W> {
    fn next(&self, core: usize) -> Option<Stretch<W::Files>> {
        loop {
            let (index, job) = lock(&self.jobs).next()?;
            match self.open(&job) {
                Ok(opened) => return Some(Stretch::new(index, opened, job.range)),
                Err(error) => (self.done)(index, core, Err(error)),
            }
        }
    }

    fn conclude(
        &self,
        core: usize,
        stretch: &Stretch<W::Files>,
        outcome: Result<Written<W::Files>>,
    ) {
        let parts = outcome.and_then(|written| self.finish(stretch, written));
        (self.done)(stretch.index, core, parts);
    }
}

fn bad(path: &Path, why: &'static str) -> Error {
    Error::BadParts { path: path.to_owned(), why }
}

/// Holds parts, in order, against the volumes and the file: they must be of this file and have all
/// of its data. What a manifest lacks would be a hole, and a release would punch it.
fn check_parts<F: Files>(
    files: &F,
    archive: &Archive<F>,
    opened: &Opened<F>,
    parts: &[PartRef],
) -> Result<()> {
    let Opened { path, file, stat, .. } = opened;
    let mut buffer = Aligned::new(SUM_BLOCK as usize);
    let mut covered = 0;
    let mut reach = 0;
    for part in parts {
        if part.range.start < reach || part.range.end > stat.size {
            return Err(bad(path, "they overlap or lie beyond its end"));
        }
        reach = part.range.end;
        let location = Location { volume: part.volume, at: part.at, length: part.length };
        let (record, _) = archive.part(files, location)?;
        if record.handle != stat.handle || record.range != part.range {
            return Err(bad(path, "one of them is of something else"));
        }
        for extent in &record.extents {
            if extent.range.start < covered || extent.range.end > reach {
                return Err(bad(path, "one of them is out of order"));
            }
            let gap = Range::new(covered, extent.range.start);
            if !zeros(files, file, path, gap, &mut buffer)? {
                return Err(bad(path, "some of its data is in none of them"));
            }
            covered = extent.range.end;
        }
    }
    if !zeros(files, file, path, Range::new(covered, stat.size), &mut buffer)? {
        return Err(bad(path, "some of its data is in none of them"));
    }
    Ok(())
}
