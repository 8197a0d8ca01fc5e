//! Dropping archive copies of files that are all on disk.
//!
//! Order: the attribute goes first and durably; then the archive is told. In between, the copy is
//! merely not used; the other way round a release could rely on a copy that is gone.

use std::path::PathBuf;
use std::sync::Mutex;

use dray_archive::{Archive, GoneRecord, Record};
use dray_io::{Context, Files, Operation, World};

use crate::archive::{lock, write_records};
use crate::error::{Error, Result};
use crate::feed::{Entry, Feed};
use crate::release::{Touched, each_file, open_to_look};
use crate::standing::{Standing, standing};
use crate::tally::Run;

/// Records of removed copies written as one segment.
const GONE_PER_SEGMENT: usize = 4096;

/// How to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// Where a file was written to while parts of it were released: take what is there now for
    /// its content. The archive keeps its copy.
    pub accept_content: bool,
}

/// Drops the archive copies of all files that `feed` names.
pub fn remove<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    feed: &mut Feed<'_>,
    options: RemoveOptions,
    run: &Run<'_>,
) -> Result<()> {
    let gone: Mutex<Vec<(PathBuf, GoneRecord)>> = Mutex::default();
    each_file(world, feed, run, &|entry| {
        let removed = remove_file(world.files(), entry, options, run)?;
        let full = {
            let mut gone = lock(&gone);
            if let Some(Some(record)) = removed {
                gone.push((entry.path.clone(), record));
            }
            (gone.len() >= GONE_PER_SEGMENT).then(|| std::mem::take(&mut *gone))
        };
        if let Some(full) = full {
            tell(world, archive, full)?;
        }
        Ok(removed.map(|_| 0))
    })?;
    tell(world, archive, gone.into_inner().unwrap_or_default())
}

fn tell<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    gone: Vec<(PathBuf, GoneRecord)>,
) -> Result<()> {
    let touched = Touched::default();
    for (path, record) in &gone {
        touched.note(Some(record.handle), path.clone());
    }
    touched.sync(world.files())?;
    let records: Vec<Record> = gone.into_iter().map(|(_, gone)| Record::Gone(gone)).collect();
    write_records(world, archive, &records, &[]).map(drop)
}

/// `None` if there was nothing to do; the record for the archive, if it is to be told.
fn remove_file<F: Files>(
    files: &F,
    entry: &Entry,
    options: RemoveOptions,
    run: &Run<'_>,
) -> Result<Option<Option<GoneRecord>>> {
    let path = entry.path.as_path();
    // As long as the file is open nobody else can release it: see `standing` and then act.
    let file = open_to_look(files, path)?;
    let (stat, standing) = standing(files, &file, path)?;
    entry.check(&stat)?;
    let gone = match standing {
        Standing::Resident => {
            run.skipped(path, "not archived");
            return Ok(None);
        }
        Standing::Archived { .. } | Standing::Dirty(_) => Some(GoneRecord {
            handle: stat.handle,
            // All versions: see `docs/volume.md`, "Gone".
            volume: 0,
            at: 0,
            // Later than the copy it removes, earlier than the next: both may be of one tick.
            removed: files.now_fine().into(),
        }),
        Standing::Overwritten(_) | Standing::Foreign(_) | Standing::Away { touched: true, .. }
            if options.accept_content =>
        {
            None
        }
        Standing::Overwritten(_) => return Err(Error::Overwritten { path: path.to_owned() }),
        Standing::Foreign(_) => return Err(Error::ForeignAttribute { path: path.to_owned() }),
        Standing::Away { .. } => return Err(Error::NotResident { path: path.to_owned() }),
    };
    run.may_act(path)?;
    files.remove_attribute(&file).during(Operation::WriteAttribute, path)?;
    Ok(Some(gone))
}
