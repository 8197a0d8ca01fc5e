//! Small files, packed: each hand fills a segment of its own, commits it with one flush, and only
//! then touches the files.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_archive::{FileRecord, LinkRecord, Location, Pack, Record, SegmentKind};
use dray_io::limits::{BLOCK, PACK_WAITS, SMALL_FILE};
use dray_io::{Access, Context, Files, Kind, Operation, PackedTime, Range, Stat, Time, World};

use super::opened::Opened;
use super::{Shared, locate, lock};
use crate::error::{Error, Result};
use crate::feed::{Entry, Queue};
use crate::manifest::{changed, manifest, next_data};
use crate::standing::{Standing, may_change_unseen, standing};
use crate::tally::Latency;

/// What has a record in the pack.
struct Held<F: Files> {
    path: Arc<Path>,
    /// Until the pack is committed. `None` for another name of a file.
    opened: Option<Opened<F>>,
    size: u64,
}

struct Hand<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    pack: Pack,
    held: Vec<Held<W::Files>>,
    /// When the first of these was read.
    oldest: Option<Time>,
    latency: Latency,
}

/// What to do with an entry.
enum Verdict {
    Taken,
    Skip(&'static str),
    Large,
    /// The pack is full: commit it and ask again.
    NoRoom,
}

/// Packs what is small; returns what is large. An error means that the archive takes no more.
pub(super) fn pack_all<W: World>(
    shared: &Shared<'_, W>,
    queue: &Queue<'_, '_>,
) -> Result<Vec<Entry>> {
    let large = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    shared.world.hands(&|_| {
        let mut hand = Hand::new(shared);
        if let Err(error) = hand.work(queue, &large, &failure) {
            lock(&failure).get_or_insert(error);
        }
        shared.run.tally.add_files(&hand.latency);
    });
    match failure.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(large.into_inner().unwrap_or_default()),
    }
}

impl<'a, 'w, W: World> Hand<'a, 'w, W> {
    fn new(shared: &'a Shared<'w, W>) -> Self {
        Self {
            shared,
            pack: Pack::new(),
            held: Vec::new(),
            oldest: None,
            latency: Latency::default(),
        }
    }

    fn files(&self) -> &'a W::Files {
        self.shared.world.files()
    }

    fn work(
        &mut self,
        queue: &Queue<'_, '_>,
        large: &Mutex<Vec<Entry>>,
        failure: &Mutex<Option<Error>>,
    ) -> Result<()> {
        let mut handful = Vec::new();
        while queue.take(&mut handful) {
            if lock(failure).is_some() {
                break;
            }
            while let Some(entry) = handful.pop() {
                let began = self.shared.world.ticks();
                let mut verdict = self.take(&entry);
                if matches!(verdict, Ok(Verdict::NoRoom)) {
                    self.commit()?;
                    verdict = self.take(&entry);
                }
                match verdict {
                    Ok(Verdict::Taken) => {
                        self.latency.record(self.shared.world.ticks().saturating_sub(began));
                    }
                    Ok(Verdict::Skip(why)) => self.shared.run.skipped(&entry.path, why),
                    Ok(Verdict::Large) => lock(large).push(entry),
                    Ok(Verdict::NoRoom) => unreachable!("an empty pack has room for a small file"),
                    Err(error) => self.shared.run.failed(&entry.path, &error),
                }
                if self.has_waited() {
                    self.commit()?;
                }
            }
        }
        self.commit()
    }

    /// Whether the pack is to be committed as it is.
    fn has_waited(&self) -> bool {
        let waited = self.oldest.and_then(|oldest| self.files().now().since(oldest));
        waited.is_some_and(|waited| waited > PACK_WAITS)
    }

    /// Reads one file into the pack.
    fn take(&mut self, entry: &Entry) -> Result<Verdict> {
        let (files, path) = (self.files(), entry.path.as_path());
        let access = if entry.kind == Kind::File { Access::ReadDirect } else { Access::Inspect };
        if !self.pack.has_room(0) {
            return Ok(Verdict::NoRoom);
        }
        let _turn = self.shared.turn_to_read();
        let file = files.open(path, access).during(Operation::Open, path)?;
        let (stat, standing) = standing(files, &file, path)?;
        entry.check(&stat)?;
        if stat.kind != entry.kind {
            return Err(changed(path));
        }
        let now = files.now();
        // Before the state is looked at: under its first name the file may be archived by now.
        let several = stat.kind != Kind::Directory && stat.links > 1;
        // Who orders by handle knows by himself which names are further ones: what was archived a
        // moment ago under another name may have changed since.
        let own = entry.handle.is_none();
        let again = several && (entry.link || (own && self.shared.is_under_way(stat.handle)));
        if !again {
            if let Some(why) = refusal(&standing, path)? {
                return Ok(Verdict::Skip(why));
            }
            if stat.kind == Kind::File && stat.size > SMALL_FILE {
                return Ok(Verdict::Large);
            }
        }
        let size = if stat.kind == Kind::File && !again { stat.size } else { 0 };
        if !self.pack.has_room(size) {
            return Ok(Verdict::NoRoom);
        }
        if again || (several && own && !self.shared.first_name(stat.handle)) {
            let archived = PackedTime::from(files.now_fine());
            let link = LinkRecord { handle: stat.handle, archived, path: path.to_owned() };
            self.hold(Record::Link(link), Arc::from(path), None);
            return Ok(Verdict::Taken);
        }
        let recent = stat.kind == Kind::File && may_change_unseen(files, &file, &stat, now, path)?;
        let payload = self.pack.payload();
        let record =
            manifest(files, &file, path, &stat, files.now_fine()).and_then(|mut record| {
                self.read_data(&file, &stat, &mut record)?;
                Ok(record)
            });
        let record = record.inspect_err(|_| {
            self.pack.forget_data(payload);
            // Under another name it may be tried again.
            self.shared.forget(stat.handle);
        })?;
        let (marked, path) = (standing.attribute().is_some(), Arc::from(path));
        let opened = Opened { path: Arc::clone(&path), file, stat, recent, marked };
        self.hold(Record::File(Box::new(record)), path, Some(opened));
        Ok(Verdict::Taken)
    }

    fn hold(&mut self, record: Record, path: Arc<Path>, opened: Option<Opened<W::Files>>) {
        let files = self.files();
        let size = match &record {
            Record::File(file) => file.size,
            _ => 0,
        };
        self.pack.push(record);
        self.oldest.get_or_insert_with(|| files.now());
        self.held.push(Held { path, opened, size });
    }

    fn read_data(&mut self, file: &W::File, stat: &Stat, record: &mut FileRecord) -> Result<()> {
        if stat.kind != Kind::File {
            return Ok(());
        }
        let dense = stat.allocated >= stat.size;
        let mut hasher = self.shared.options.hash.then(blake3::Hasher::new);
        let mut at = 0;
        while at < stat.size {
            let data = if dense {
                Some(Range::new(0, stat.size))
            } else {
                next_data(self.files(), file, &record.path, at, stat.size)?
            };
            let range = data.unwrap_or(Range::new(stat.size, stat.size));
            if let Some(hasher) = &mut hasher {
                hash_zeros(hasher, range.start - at);
            }
            if !range.is_empty() {
                self.read_extent(file, range, record, hasher.as_mut())?;
            }
            at = range.end;
        }
        record.hash = hasher.map(|hasher| *hasher.finalize().as_bytes());
        Ok(())
    }

    fn read_extent(
        &mut self,
        file: &W::File,
        range: Range,
        record: &mut FileRecord,
        hasher: Option<&mut blake3::Hasher>,
    ) -> Result<()> {
        let files = self.files();
        let room = self.pack.room(range.len());
        let got = files.read_at(file, room, range.start).during_at(
            Operation::Read,
            &record.path,
            range.start,
        )?;
        if (got as u64) < range.len() {
            let (path, at) = (record.path.clone(), range.start + got as u64);
            return Err(Error::Shrunk { path, at, expected: range.end });
        }
        let extent = self.pack.take_data(range);
        if let Some(hasher) = hasher {
            hasher.update(self.pack.data(&extent));
        }
        record.extents.push(extent);
        Ok(())
    }

    /// Writes the segment, flushes it, and marks the files that are still as they were read.
    fn commit(&mut self) -> Result<()> {
        if self.pack.is_empty() {
            return Ok(());
        }
        let outcome = self.write();
        let held = std::mem::take(&mut self.held);
        self.oldest = None;
        let places = match outcome {
            Ok(places) => places,
            Err(error) => {
                for held in &held {
                    self.shared.run.failed(&held.path, &error);
                }
                self.pack.clear();
                return if is_final(&error) { Err(error) } else { Ok(()) };
            }
        };
        self.pack.clear();
        for (held, place) in held.into_iter().zip(places) {
            let concluded = self.conclude(&held, place);
            let Held { path, size, .. } = held;
            // The file is closed by now: whoever hears of it may release it, which needs that.
            match concluded {
                Ok(()) => {
                    self.shared.run.moved(size);
                    self.shared.run.done(&path, size);
                }
                Err(error) => self.shared.run.failed(&path, &error),
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<Vec<Option<Location>>> {
        let (files, archive) = (self.files(), self.shared.archive);
        let payload = self.pack.payload();
        let (places, index) = self.pack.seal();
        let (volume, reservation) = archive.reserve(files, SegmentKind::PACKED, payload, index)?;
        let mut mark = reservation.mark;
        let bytes = self.pack.frame(&mut mark);
        if let Err(error) = self.shared.write_in_turn(&volume, bytes, mark.at) {
            volume.abandon(files, &mark);
            return Err(error);
        }
        volume.written(&mark);
        volume.flush(files)?;
        Ok(locate(&mark, &places))
    }

    /// The manifest is durable.
    fn conclude(&self, held: &Held<W::Files>, place: Option<Location>) -> Result<()> {
        let Some(location) = place else {
            let (file, bytes) = (held.path.to_path_buf(), dray_archive::RECORD_MAX);
            return Err(dray_archive::Error::RecordTooLarge { file, bytes }.into());
        };
        match &held.opened {
            Some(opened) if opened.stat.kind == Kind::File => self.shared.mark(opened, location),
            _ => Ok(()),
        }
    }
}

/// Why a file need not be archived, or must not be.
pub(super) fn refusal(standing: &Standing, path: &Path) -> Result<Option<&'static str>> {
    match standing {
        Standing::Resident | Standing::Dirty(_) | Standing::Archived { certain: false, .. } => {
            Ok(None)
        }
        Standing::Archived { .. } => Ok(Some("archived already")),
        Standing::Away { touched: false, .. } => Ok(Some("released already")),
        Standing::Away { .. } | Standing::Overwritten(_) => {
            Err(Error::Overwritten { path: path.to_owned() })
        }
        Standing::Foreign(_) => Err(Error::ForeignAttribute { path: path.to_owned() }),
    }
}

/// Whether the archive cannot take anything any more.
pub(super) fn is_final(error: &Error) -> bool {
    match error {
        Error::Archive(dray_archive::Error::Full { .. } | dray_archive::Error::AllInUse { .. }) => {
            true
        }
        Error::Archive(dray_archive::Error::Fault(fault)) => {
            fault.cause.kind() == std::io::ErrorKind::StorageFull
        }
        _ => false,
    }
}

fn hash_zeros(hasher: &mut blake3::Hasher, mut length: u64) {
    const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    while length > 0 {
        let part = length.min(BLOCK);
        hasher.update(&ZEROS[..part as usize]);
        length -= part;
    }
}
