//! Large files and ranges: the parts of a file are shared by all cores; the last piece to end
//! settles the file.

use std::sync::Mutex;

use dray_archive::{Archive, FileRecord};
use dray_io::{Files, Range, World};

use super::pieces;
use super::settle::Target;
use super::stretch::{Stretch, Stretches, Written};
use super::{Shared, Wanted};
use crate::archive::lock;
use crate::error::Result;
use crate::feed::Entry;

/// The large files of a batch.
struct Batch<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    wanted: Mutex<std::vec::IntoIter<Wanted>>,
}

pub(super) fn restore_all<W: World>(shared: &Shared<'_, W>, wanted: Vec<Wanted>) -> Result<()> {
    pieces::move_all(shared, &Batch { shared, wanted: Mutex::new(wanted.into_iter()) })
}

impl<W: World> Batch<'_, '_, W> {
    fn open(&self, entry: &Entry) -> Result<Option<Stretch<W::Files>>> {
        let (files, archive) = (self.shared.world.files(), self.shared.archive);
        let Some(target) = Target::open(files, entry)? else { return Ok(None) };
        let (record, place) = target.manifest(files, archive)?;
        let Some(wanted) = wanted(files, archive, &record, place, entry.range)? else {
            return Ok(None);
        };
        target.begin(files, archive, &record, place, self.shared.run)?;
        let whole = Range::new(0, record.size);
        let stretch = Stretch::new(0, target, (record, place), wanted, whole);
        stretch.set_direct(files, !self.shared.options.read_next)?;
        Ok(Some(stretch))
    }

    /// Everything is written.
    fn finish(&self, stretch: &Stretch<W::Files>, written: Written) -> Result<u64> {
        let (files, archive) = (self.shared.world.files(), self.shared.archive);
        let bytes = written.bytes;
        stretch.flush(files, written, self.shared.run)?;
        let (target, record) = (&stretch.target, &stretch.record);
        let (_, present) = target.goal(stretch.wanted);
        target.settle(files, archive, record, stretch.place, present, self.shared.run)?;
        Ok(bytes)
    }
}

impl<W: World> Stretches<W::Files> for Batch<'_, '_, W> {
    fn next(&self, _core: usize) -> Option<Stretch<W::Files>> {
        loop {
            let entry = lock(&self.wanted).next()?.entry;
            match self.open(&entry) {
                Ok(Some(stretch)) => return Some(stretch),
                Ok(None) => self.shared.run.skipped(&entry.path, "on disk already"),
                Err(error) => self.shared.run.failed(&entry.path, &error),
            }
        }
    }

    fn conclude(&self, _core: usize, stretch: &Stretch<W::Files>, outcome: Result<Written>) {
        match outcome.and_then(|written| self.finish(stretch, written)) {
            Ok(bytes) => self.shared.run.done(&stretch.path, bytes),
            Err(error) => self.shared.run.failed(&stretch.path, &error),
        }
    }
}

/// What an entry wants of a file, widened so that it cuts no checksum block; `None` if that lies
/// beyond its end.
pub(super) fn wanted<F: Files>(
    files: &F,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
    range: Option<Range>,
) -> Result<Option<Range>> {
    let whole = Range::new(0, record.size);
    let Some(range) = range else { return Ok(Some(whole)) };
    let Some(range) = range.intersect(whole) else { return Ok(None) };
    let mut wide = range;
    archive.extents(files, record, place, range, &mut |stored| {
        if let Some(blocks) = stored.blocks(range) {
            wide = Range::new(wide.start.min(blocks.start), wide.end.max(blocks.end));
        }
        Ok(())
    })?;
    Ok(Some(wide))
}
