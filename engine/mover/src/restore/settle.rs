//! The first and the last steps of restoring a file.

use std::path::PathBuf;

use dray_archive::{Archive, FileRecord};
use dray_io::{Context, Files, Operation, PackedTime, Range, RangeSet, Stat};

use crate::attribute::{Attribute, Kept};
use crate::compare::{holds, is_only_ours, manifest_of};
use crate::error::{Error, Result};
use crate::feed::Entry;
use crate::release::open_to_move;
use crate::standing::{Seen, Standing, attribute, mark_archived, standing};
use crate::steps::RestoreStamp;
use crate::tally::Run;

/// A file that data is coming back to.
pub(crate) struct Target<F: Files> {
    pub(crate) path: PathBuf,
    pub(crate) file: F::File,
    /// As it was before anything was written.
    before: Stat,
    /// As it was before anything was written.
    pub(crate) attribute: Attribute,
    /// The modification time moved after the release: somebody set it, or wrote to what was there.
    touched: bool,
    /// Nobody else has the file open. Then nobody else can write to it.
    leased: bool,
    capability: Option<Vec<u8>>,
    /// The stamp of a restore in parts, which the attribute has as long as that goes on.
    begun: Option<PackedTime>,
}

/// Whether the restore in parts with this stamp still goes on.
fn is_begun(attribute: &Attribute, begun: PackedTime) -> bool {
    attribute.kept != Kept::Archived && attribute.remains && attribute.stamp == begun
}

impl<F: Files> Target<F> {
    /// Opens a file for restoring; `None` if all of it is there by now.
    pub(crate) fn open(files: &F, entry: &Entry) -> Result<Option<Self>> {
        let path = entry.path.as_path();
        let file = open_to_move(files, path)?;
        // Without a lease a restore goes on: the file may be open by the very reader that waits
        // for it. But then a change to it in the meantime cannot be told from ours.
        let leased = files.lease(&file).is_ok();
        let (before, standing) = standing(files, &file, path)?;
        entry.check(&before)?;
        let (attribute, touched) = match standing {
            Standing::Away { attribute, touched } => (attribute, touched),
            Standing::Overwritten(_) => return Err(Error::Overwritten { path: path.to_owned() }),
            Standing::Foreign(_) => return Err(Error::ForeignAttribute { path: path.to_owned() }),
            Standing::Resident | Standing::Dirty(_) | Standing::Archived { .. } => return Ok(None),
        };
        let capability = files.capability(&file).during(Operation::ReadAttribute, path)?;
        let path = path.to_owned();
        let begun = None;
        Ok(Some(Self { path, file, before, attribute, touched, leased, capability, begun }))
    }

    /// Opens a file whose restore in parts has begun. Takes no lease.
    pub(crate) fn resume(files: &F, entry: &Entry, stamp: &RestoreStamp) -> Result<Self> {
        let path = entry.path.as_path();
        let file = open_to_move(files, path)?;
        let (before, standing) = standing(files, &file, path)?;
        entry.check(&before)?;
        if before.handle != stamp.handle {
            return Err(Error::AnotherFile { path: path.to_owned() });
        }
        let attribute = match standing {
            Standing::Away { attribute, .. } if is_begun(&attribute, stamp.begun) => attribute,
            Standing::Overwritten(_) => return Err(Error::Overwritten { path: path.to_owned() }),
            Standing::Foreign(_) => return Err(Error::ForeignAttribute { path: path.to_owned() }),
            _ => return Err(Error::Superseded { path: path.to_owned() }),
        };
        let capability = files.capability(&file).during(Operation::ReadAttribute, path)?;
        let (path, begun) = (path.to_owned(), Some(stamp.begun));
        let (touched, leased) = (stamp.touched, false);
        Ok(Self { path, file, before, attribute, touched, leased, capability, begun })
    }

    /// What the other steps of a restore in parts must know of the file as it is now.
    pub(crate) fn stamp(&self, wanted: Range) -> Result<RestoreStamp> {
        let capability = self.capability.clone();
        if !RestoreStamp::takes(capability.as_deref()) {
            let cause = std::io::Error::from(std::io::ErrorKind::InvalidData);
            Err(cause).during(Operation::ReadAttribute, &self.path)?;
        }
        Ok(RestoreStamp {
            handle: self.before.handle,
            size: self.before.size,
            wanted,
            begun: self.attribute.stamp,
            modified: self.before.modified,
            owner: (self.before.uid, self.before.gid),
            mode: self.before.mode,
            capability,
            moving: self.attribute.moving,
            remains: self.attribute.remains,
            touched: self.touched,
        })
    }

    /// Takes for the file's state before anything was written what the first step found. Owner and
    /// permissions may have been changed since, and such a change stays.
    pub(crate) fn take_up(&mut self, stamp: &RestoreStamp) {
        if self.capability.is_none() && stamp.is_owner(&self.before) {
            self.capability.clone_from(&stamp.capability);
        }
        self.before.mode = stamp.mode_of(&self.before);
        self.before.modified = stamp.modified;
        self.attribute.moving = stamp.moving;
        self.attribute.remains = stamp.remains;
    }

    /// The manifest of the file, and the place of its segment.
    pub(crate) fn manifest(
        &self,
        files: &F,
        archive: &Archive<F>,
    ) -> Result<(Box<FileRecord>, (u32, u64))> {
        manifest_of(files, archive, &self.attribute, &self.path)
    }

    /// Makes sure that nothing of somebody else's stands where data will be written, and notes in
    /// the attribute that data is on the move. The note precedes the data in the journal of the
    /// file system, so no flush is needed between them.
    pub(crate) fn begin(
        &self,
        files: &F,
        archive: &Archive<F>,
        record: &FileRecord,
        place: (u32, u64),
        run: &Run<'_>,
    ) -> Result<()> {
        if self.before.allocated > 0 {
            let whole = Range::new(0, record.size);
            self.check_only_ours(files, archive, record, place, whole)?;
        }
        // Where the times are somebody's, they and the time that the attribute compares with stay,
        // so that the file counts as changed when it is all there.
        let moving = !self.touched;
        let begun = Attribute { moving, remains: true, ..self.attribute.clone() };
        run.may_act(&self.path)?;
        files
            .set_attribute(&self.file, &begun.encode())
            .during(Operation::WriteAttribute, &self.path)?;
        Ok(())
    }

    /// Fails if something of somebody else's stands `within` the file where it is not present.
    pub(crate) fn check_only_ours(
        &self,
        files: &F,
        archive: &Archive<F>,
        record: &FileRecord,
        place: (u32, u64),
        within: Range,
    ) -> Result<()> {
        let (file, attribute) = (&self.file, &self.attribute);
        if is_only_ours(files, file, archive, record, place, attribute, within)? {
            Ok(())
        } else {
            Err(Error::Overwritten { path: self.path.clone() })
        }
    }

    /// Fails if the file was cut or grown since it was opened, or its restore in parts is over.
    pub(crate) fn check(&self, files: &F) -> Result<Stat> {
        if let Some(begun) = self.begun {
            let now = attribute(files, &self.file, &self.path)?;
            if now.is_none_or(|now| !is_begun(&now, begun)) {
                return Err(Error::Superseded { path: self.path.clone() });
            }
        }
        let now = files.restat(&self.file, &self.before).during(Operation::Stat, &self.path)?;
        if now.size == self.before.size {
            Ok(now)
        } else {
            Err(Error::Overwritten { path: self.path.clone() })
        }
    }

    /// What is written has been flushed: checks that the file is still the one that was being
    /// restored, puts its times back, and notes what is present.
    pub(crate) fn settle(
        &self,
        files: &F,
        archive: &Archive<F>,
        record: &FileRecord,
        place: (u32, u64),
        present: Option<RangeSet>,
        run: &Run<'_>,
    ) -> Result<()> {
        let path = &self.path;
        let now = self.check(files)?;
        // A newcomer who waited out the lease may have cut the file, and our own writes have made
        // it as long again.
        if self.leased && files.has_lease(&self.file).is_err() {
            let whole = [Range::new(0, record.size)];
            let ranges = present.as_ref().map_or(&whole[..], RangeSet::as_slice);
            if !holds(files, &self.file, archive, record, place, ranges)? {
                return Err(Error::Overwritten { path: path.clone() });
            }
        }
        run.may_act(path)?;
        if now.mode != self.before.mode || self.capability.is_some() {
            files
                .set_privileges(&self.file, self.before.mode, self.capability.as_deref())
                .during(Operation::SetMetadata, path)?;
        }
        // After an interrupted move the time on the file is that of our own writes.
        let modified = if self.attribute.moving { record.modified } else { self.before.modified };
        files.set_modified(&self.file, modified).during(Operation::SetMetadata, path)?;
        let Some(present) = present else { return self.mark_whole(files) };
        // What an earlier restore left elsewhere in the file is still there.
        let partial = Attribute {
            kept: Kept::Partial,
            moving: false,
            stamp: PackedTime::default(),
            present,
            ..self.attribute.clone()
        };
        files
            .set_attribute(&self.file, &partial.encode())
            .during(Operation::WriteAttribute, path)?;
        self.give_up_lease(files);
        Ok(())
    }

    fn mark_whole(&self, files: &F) -> Result<()> {
        let (file, path) = (&self.file, &self.path);
        // What was present may have been written to, and its time put back by another restore.
        let certain = self.leased
            && !self.touched
            && !self.attribute.moving
            && self.attribute.present.is_empty();
        let at = files.now();
        let stat = files.restat(file, &self.before).during(Operation::Stat, path)?;
        let seen = certain.then_some(Seen { stat: &stat, at });
        mark_archived(files, file, path, &self.attribute, true, seen)?;
        // Newcomers break a lease after a while. If that happened, somebody may have written
        // before the time was put back: the content is to be compared before a release.
        if !self.give_up_lease(files) && certain {
            mark_archived(files, file, path, &self.attribute, true, None)?;
        }
        Ok(())
    }

    /// Whether the lease was still held.
    fn give_up_lease(&self, files: &F) -> bool {
        self.leased && files.unlease(&self.file).is_ok()
    }

    /// The ranges to write for `wanted`, in order, and what will be present then (`None` for all).
    /// More is restored than was asked for if the attribute could not list the ranges otherwise.
    pub(crate) fn goal(&self, wanted: Range) -> (Vec<Range>, Option<RangeSet>) {
        let whole = Range::new(0, self.attribute.size);
        let mut present = self.attribute.present.clone();
        let mut todo = RangeSet::default();
        let mut next = Some(wanted);
        while let Some(range) = next {
            for gap in present.missing(range) {
                todo.insert(gap);
            }
            present.insert(range);
            let over = present.as_slice().len() > dray_io::limits::PRESENT_RANGES;
            next = if over { present.narrowest_gap() } else { None };
        }
        let all = present.contains(whole);
        (todo.as_slice().to_vec(), (!all).then_some(present))
    }
}
