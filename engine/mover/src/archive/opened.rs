//! A file that is being archived, held open from before it is read until it is marked.

use std::path::Path;
use std::sync::Arc;

use dray_archive::Location;
use dray_io::{Aligned, Context, Files, Operation, PackedTime, RangeSet, Stat, World};

use super::Shared;
use crate::attribute::{Attribute, Kept};
use crate::error::{Error, Result};
use crate::manifest::{changed, is_unchanged};
use crate::standing::{Seen, mark_archived};

/// As long as it is open nobody else can release it: a lease is refused.
pub(super) struct Opened<F: Files> {
    pub(super) path: Arc<Path>,
    pub(super) file: F::File,
    /// As it was before any of it was read.
    pub(super) stat: Stat,
    /// Its times may not move if it changes again.
    pub(super) recent: bool,
    /// It had a state attribute.
    pub(super) marked: bool,
}

impl<F: Files> Opened<F> {
    /// Fails if the file is not as it was before it was read.
    pub(super) fn compare(&self, files: &F) -> Result<()> {
        let after = files.restat(&self.file, &self.stat).during(Operation::Stat, &self.path)?;
        if is_unchanged(&self.stat, &after) { Ok(()) } else { Err(changed(&self.path)) }
    }

    /// BLAKE3 of the whole content, in order: blocks pass the ring out of order.
    pub(super) fn hash(&self, files: &F) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = Aligned::new(1 << 20);
        let mut at = 0;
        while at < self.stat.size {
            let got = files.read_at(&self.file, &mut buffer, at).during_at(
                Operation::Read,
                &self.path,
                at,
            )?;
            if got == 0 {
                return Err(changed(&self.path));
            }
            hasher.update(&buffer[..got]);
            at += got as u64;
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

impl<W: World> Shared<'_, W> {
    /// Marks a file whose manifest is durable, if it is still as that has it; else the manifest
    /// must not count. Nor may it once a lease has ended: somebody else may release the file
    /// between the comparison and the mark. After any other error there may be a mark.
    pub(super) fn mark(&self, opened: &Opened<W::Files>, manifest: Location) -> Result<()> {
        let (files, Opened { path, file, stat, .. }) = (self.world.files(), opened);
        let mark = || {
            self.run.may_act(path)?;
            let at = files.now();
            opened.compare(files)?;
            let seen = (!opened.recent).then_some(Seen { stat, at });
            let attribute = fresh_attribute(stat, manifest);
            mark_archived(files, file, path, &attribute, opened.marked, seen)
        };
        mark().inspect_err(|error| {
            if matches!(error, Error::Changed { .. } | Error::LeaseEnded { .. }) {
                self.regret(stat.handle, manifest);
            }
        })
    }
}

/// The attribute of a file whose manifest has just been written.
fn fresh_attribute(stat: &Stat, manifest: Location) -> Attribute {
    Attribute {
        kept: Kept::Archived,
        moving: false,
        remains: false,
        manifest,
        size: stat.size,
        modified: PackedTime::from(stat.modified),
        stamp: PackedTime::default(),
        inode: stat.handle.inode,
        generation: stat.handle.generation,
        present: RangeSet::default(),
    }
}
