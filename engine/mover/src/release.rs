//! Giving up the data of files that the archive has.
//!
//! Order, each step durable before the next: a lease, so that nobody else has the file open or
//! mapped; the file compared with what was archived; the attribute says *released*; the punch;
//! the times put back; the attribute says that all of this is over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dray_archive::Archive;
use dray_io::limits::PUNCH_UNIT;
use dray_io::{
    Access, Context, Files, Handle, Kind, Operation, PackedTime, Range, RangeSet, Stat, Time, World,
};

use crate::archive::lock;
use crate::attribute::{Attribute, Kept};
use crate::compare::{holds, is_as_archived, is_only_ours, manifest_of};
use crate::error::{Error, Result, in_use};
use crate::feed::{Entry, Feed, Queue};
use crate::standing::{Standing, standing};
use crate::tally::{Latency, Run};

/// Releases every archived file that `feed` names.
pub fn release<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    run: &Run<'_>,
) -> Result<()> {
    each_file(world, feed, run, &|entry| release_file(world.files(), archive, entry, run))
}

/// Runs `job` for every regular file that `feed` names, on all hands, and makes what they did
/// durable.
pub(crate) fn each_file<W: World>(
    world: &W,
    feed: &mut Feed<'_>,
    run: &Run<'_>,
    job: &(dyn Fn(&Entry) -> Result<Option<u64>> + Sync),
) -> Result<()> {
    let files = world.files();
    loop {
        let queue = Queue::new(feed, run);
        let touched = Touched::default();
        let in_use = Mutex::new(Vec::new());
        world.hands(&|_| {
            let (mut handful, mut latency) = (Vec::new(), Latency::default());
            while queue.take(&mut handful) {
                while let Some(entry) = handful.pop() {
                    if entry.kind != Kind::File {
                        continue;
                    }
                    let began = world.ticks();
                    match job(&entry) {
                        Ok(Some(bytes)) => {
                            latency.record(world.ticks().saturating_sub(began));
                            run.moved(bytes);
                            run.done(&entry.path, bytes);
                            touched.note(entry.handle, entry.path);
                        }
                        Ok(None) => {}
                        Err(Error::InUse { .. }) => lock(&in_use).push(entry),
                        Err(error) => run.failed(&entry.path, &error),
                    }
                }
            }
            run.tally.add_files(&latency);
        });
        // Two names of one file are in each other's way, and some users are quick: once more, one
        // after the other.
        for entry in std::mem::take(&mut *lock(&in_use)) {
            match job(&entry) {
                Ok(Some(bytes)) => {
                    run.moved(bytes);
                    run.done(&entry.path, bytes);
                    touched.note(entry.handle, entry.path);
                }
                Ok(None) => {}
                Err(error) => run.failed(&entry.path, &error),
            }
        }
        touched.sync(files)?;
        if queue.is_over() {
            return Ok(());
        }
    }
}

/// One path of each file system that was touched, as far as the handles of the entries tell them
/// apart.
#[derive(Default)]
pub(crate) struct Touched(Mutex<HashMap<[u8; 16], PathBuf>>);

impl Touched {
    pub(crate) fn note(&self, handle: Option<Handle>, path: PathBuf) {
        let file_system = handle.map(|handle| handle.file_system).unwrap_or_default();
        lock(&self.0).insert(file_system, path);
    }

    /// Makes what was done to them durable.
    pub(crate) fn sync<F: Files>(self, files: &F) -> Result<()> {
        let paths = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        paths.into_values().try_for_each(|path| sync_around(files, &path))
    }
}

/// Flushes the file system of a path that may be gone by now.
fn sync_around<F: Files>(files: &F, path: &Path) -> Result<()> {
    let mut at = Some(path);
    while let Some(here) = at {
        if let Ok(dir) = files.open(here, Access::ReadDirect) {
            files.sync_fs(&dir).during(Operation::FlushFileSystem, here)?;
            return Ok(());
        }
        at = here.parent();
    }
    Ok(())
}

/// Bytes given back; `None` if there was nothing to do.
fn release_file<F: Files>(
    files: &F,
    archive: &Archive<F>,
    entry: &Entry,
    run: &Run<'_>,
) -> Result<Option<u64>> {
    let path = entry.path.as_path();
    let file = open_to_move(files, path)?;
    // The lease first: what is compared below cannot change while it is held.
    files.lease(&file).map_err(|cause| in_use(cause, path))?;
    let (stat, standing) = standing(files, &file, path)?;
    entry.check(&stat)?;
    let attribute = match standing {
        Standing::Resident => return Err(Error::NotArchived { path: path.to_owned() }),
        Standing::Dirty(_) => return Err(Error::Dirty { path: path.to_owned() }),
        Standing::Overwritten(_) => return Err(Error::Overwritten { path: path.to_owned() }),
        Standing::Foreign(_) => return Err(Error::ForeignAttribute { path: path.to_owned() }),
        Standing::Archived { attribute, .. } if stat.size == 0 => {
            drop(attribute);
            run.skipped(path, "empty");
            return Ok(None);
        }
        Standing::Away { ref attribute, touched: false }
            if attribute.kept == Kept::Released && !attribute.moving =>
        {
            run.skipped(path, "released already");
            return Ok(None);
        }
        Standing::Archived { ref attribute, .. } | Standing::Away { ref attribute, .. } => {
            attribute.clone()
        }
    };
    // The manifest is read in any case: without it the data would be gone for good.
    let (record, place) = manifest_of(files, archive, &attribute, path)?;
    match &standing {
        Standing::Archived { certain: false, .. }
            if !is_as_archived(files, &file, archive, &record, place)? =>
        {
            return Err(Error::Dirty { path: path.to_owned() });
        }
        Standing::Away { attribute, .. } => {
            // Times do not tell what was done to present ranges: restores of others put them back.
            let present = attribute.present.as_slice();
            let whole = Range::new(0, record.size);
            if !is_only_ours(files, &file, archive, &record, place, attribute, whole)?
                || !holds(files, &file, archive, &record, place, present)?
            {
                return Err(Error::Overwritten { path: path.to_owned() });
            }
        }
        _ => {}
    }
    let from = punch_from(files, &file, path)?.unwrap_or(stat.size);
    if from >= stat.size && matches!(standing, Standing::Archived { .. }) {
        run.skipped(path, "too small to give anything back");
        return Ok(None);
    }
    let modified = if attribute.moving { record.modified } else { stat.modified };
    punch(files, &file, path, (&stat, from), &attribute, modified, run)?;
    files.unlease(&file).map_err(|cause| in_use(cause, path))?;
    // As long as this file is ours nothing comes back to it, which would meet the cutting.
    files.let_through(&file);
    Ok(Some(stat.allocated))
}

/// Opens a file whose data will be moved in place, with times kept where that can be had.
pub(crate) fn open_to_move<F: Files>(files: &F, path: &Path) -> Result<F::File> {
    open_as(files, path, Access::Invisible)
}

/// Opens a file to read its state.
pub(crate) fn open_to_look<F: Files>(files: &F, path: &Path) -> Result<F::File> {
    open_as(files, path, Access::Look)
}

fn open_as<F: Files>(files: &F, path: &Path, access: Access) -> Result<F::File> {
    match files.open(path, access) {
        Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => {
            Err(Error::InUse { path: path.to_owned() })
        }
        other => Ok(other.during(Operation::Open, path)?),
    }
}

/// Where what is given back begins; none if the file has no data.
fn punch_from<F: Files>(files: &F, file: &F::File, path: &Path) -> Result<Option<u64>> {
    let keep = files.tripwire();
    if keep == 0 {
        return Ok(Some(0));
    }
    let first = files.next_data(file, 0).during(Operation::MapExtents, path)?;
    Ok(first.map(|first| (first.start + keep).next_multiple_of(keep)))
}

fn punch<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
    (stat, from): (&Stat, u64),
    attribute: &Attribute,
    modified: Time,
    run: &Run<'_>,
) -> Result<()> {
    let capability = files.capability(file).during(Operation::ReadAttribute, path)?;
    let released = Attribute {
        kept: Kept::Released,
        moving: true,
        remains: true,
        modified: PackedTime::from(modified),
        stamp: PackedTime::default(),
        present: RangeSet::default(),
        ..attribute.clone()
    };
    // Comparing may have taken longer than a lease is kept from a newcomer.
    files.has_lease(file).map_err(|cause| in_use(cause, path))?;
    run.may_act(path)?;
    files.set_attribute(file, &released.encode()).during(Operation::WriteAttribute, path)?;
    files.sync(file).during(Operation::Flush, path)?;
    // Who goes on when this lease has ended finds a release begun, as after a crash.
    run.may_act(path)?;
    if let Err(cause) = files.has_lease(file) {
        files.set_attribute(file, &attribute.encode()).during(Operation::WriteAttribute, path)?;
        return Err(in_use(cause, path));
    }
    let data = Range::new(from, stat.size.next_multiple_of(PUNCH_UNIT));
    files.punch(file, data).during_at(Operation::Punch, path, from)?;
    files
        .set_privileges(file, stat.mode, capability.as_deref())
        .during(Operation::SetMetadata, path)?;
    files.set_modified(file, modified).during(Operation::SetMetadata, path)?;
    let settled = Attribute { moving: false, remains: false, ..released };
    files.set_attribute(file, &settled.encode()).during(Operation::WriteAttribute, path)?;
    Ok(())
}
