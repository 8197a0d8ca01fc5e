//! Large files. Their pieces are shared by all cores; the manifest comes last, when every piece is
//! written, and one flush makes all of it durable.

use std::sync::{Arc, Mutex};

use dray_archive::{LinkRecord, PartRef, Record, Volume};
use dray_io::{Access, Context, Files, Operation, Range, World};

use super::opened::Opened;
use super::pieces::{self, Stretch, Stretches, Written, too_large};
use super::small::{is_final, refusal};
use super::{Shared, lock, write_records};
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::manifest::manifest;
use crate::standing::{may_change_unseen, standing};

/// The large files of a batch.
struct Batch<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    entries: Mutex<std::vec::IntoIter<Entry>>,
    failure: Mutex<Option<Error>>,
}

/// Moves all of `entries`. An error means that the archive takes no more.
pub(super) fn move_all<W: World>(shared: &Shared<'_, W>, entries: Vec<Entry>) -> Result<()> {
    let entries = Mutex::new(entries.into_iter());
    let batch = Batch { shared, entries, failure: Mutex::default() };
    pieces::move_all(shared, &batch)?;
    batch.failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

impl<W: World> Batch<'_, '_, W> {
    fn open(&self, entry: &Entry) -> Result<Option<Stretch<W::Files>>> {
        let (files, path) = (self.shared.world.files(), entry.path.as_path());
        let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
        let (stat, standing) = standing(files, &file, path)?;
        entry.check(&stat)?;
        let own = entry.handle.is_none();
        let known = entry.link || (own && self.shared.is_under_way(stat.handle));
        let again = stat.links > 1 && known;
        if !again && let Some(why) = refusal(&standing, path)? {
            self.shared.run.skipped(path, why);
            return Ok(None);
        }
        if again || (stat.links > 1 && own && !self.shared.first_name(stat.handle)) {
            let archived = files.now_fine().into();
            let link = LinkRecord { handle: stat.handle, archived, path: path.to_owned() };
            write_records(self.shared.world, self.shared.archive, &[Record::Link(link)], &[])?;
            self.shared.run.done(path, 0);
            return Ok(None);
        }
        let recent = may_change_unseen(files, &file, &stat, files.now(), path)?;
        let (range, marked) = (Range::new(0, stat.size), standing.attribute().is_some());
        let opened = Opened { path: Arc::from(path), file, stat, recent, marked };
        Ok(Some(Stretch::new(0, opened, range)))
    }

    fn finish(&self, stretch: &Stretch<W::Files>, written: Written<W::Files>) -> Result<()> {
        // Compared before the manifest is written, too: it saves disowning it.
        stretch.opened.compare(self.shared.world.files())?;
        commit(self.shared, &stretch.opened, written.parts, &written.volumes)
    }
}

impl<W: World> Stretches<W::Files> for Batch<'_, '_, W> {
    fn next(&self, _core: usize) -> Option<Stretch<W::Files>> {
        loop {
            if lock(&self.failure).is_some() {
                return None;
            }
            let entry = lock(&self.entries).next()?;
            match self.open(&entry) {
                Ok(Some(stretch)) => return Some(stretch),
                Ok(None) => {}
                Err(error) => self.shared.run.failed(&entry.path, &error),
            }
        }
    }

    fn conclude(
        &self,
        _core: usize,
        stretch: &Stretch<W::Files>,
        outcome: Result<Written<W::Files>>,
    ) {
        match outcome.and_then(|written| self.finish(stretch, written)) {
            Ok(()) => self.shared.run.done(&stretch.opened.path, stretch.opened.stat.size),
            Err(error) => {
                self.shared.run.failed(&stretch.opened.path, &error);
                if is_final(&error) {
                    lock(&self.failure).get_or_insert(error);
                }
            }
        }
    }
}

/// Writes the manifest of a file whose data is written, flushes it with the `volumes` of the data,
/// and marks the file if it is still as it was.
pub(super) fn commit<W: World>(
    shared: &Shared<'_, W>,
    opened: &Opened<W::Files>,
    mut parts: Vec<PartRef>,
    volumes: &[Arc<Volume<W::Files>>],
) -> Result<()> {
    let files = shared.world.files();
    let Opened { path, file, stat, .. } = opened;
    let mut record = manifest(files, file, path, stat, files.now_fine())?;
    parts.sort_by_key(|part| part.range);
    record.parts = parts;
    if shared.options.hash {
        record.hash = Some(opened.hash(files)?);
    }
    let record = Record::File(Box::new(record));
    let locations = write_records(shared.world, shared.archive, &[record], volumes)?;
    let location = locations[0].ok_or_else(|| too_large(path))?;
    shared.mark(opened, location)
}
