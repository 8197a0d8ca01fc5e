//! What the cores of a restore work on together.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_archive::FileRecord;
use dray_io::{Context, Files, Operation, Range};

use super::settle::Target;
use crate::error::{Error, Result};
use crate::tally::Run;

/// Where stretches come from and go to.
pub(super) trait Stretches<F: Files>: Sync {
    /// The next to be written. One core at a time asks.
    fn next(&self, core: usize) -> Option<Stretch<F>>;
    /// Every piece of one has ended, well or not; told once, on this core.
    fn conclude(&self, core: usize, stretch: &Stretch<F>, outcome: Result<Written>);
}

/// A file, or part of one, to which data is coming back.
pub(super) struct Stretch<F: Files> {
    /// Which of its maker's it is.
    pub(super) index: usize,
    pub(super) path: Arc<Path>,
    pub(super) target: Target<F>,
    pub(super) record: Box<FileRecord>,
    /// Volume and offset of the manifest's segment.
    pub(super) place: (u32, u64),
    /// What is to be present in the file in the end.
    pub(super) wanted: Range,
    /// The checksum blocks that start here are written, and no others.
    pub(super) range: Range,
    /// Ranges of the file to write.
    pub(super) todo: Vec<Range>,
    pub(super) state: Mutex<State>,
}

/// What is written, but for the ends of files that do not fill a block.
#[derive(Default)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) tails: Vec<(u64, Vec<u8>)>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) under_way: usize,
    /// No further piece of it begins.
    pub(super) complete: bool,
    pub(super) written: Written,
    pub(super) failure: Option<Error>,
}

impl<F: Files> Stretch<F> {
    /// The part `range` of a restore of `wanted`. The move has begun.
    pub(super) fn new(
        index: usize,
        target: Target<F>,
        (record, place): (Box<FileRecord>, (u32, u64)),
        wanted: Range,
        range: Range,
    ) -> Self {
        let (todo, _) = target.goal(wanted);
        let (path, state) = (Arc::from(target.path.as_path()), Mutex::default());
        Self { index, path, target, record, place, wanted, range, todo, state }
    }

    /// Whether its data is written past the page cache.
    pub(super) fn set_direct(&self, files: &F, direct: bool) -> Result<()> {
        let target = &self.target;
        files.set_direct(&target.file, direct).during(Operation::Open, &target.path)?;
        Ok(())
    }

    /// Writes what the rings could not, and makes all of it durable.
    pub(super) fn flush(&self, files: &F, written: Written, run: &Run<'_>) -> Result<()> {
        let target = &self.target;
        self.set_direct(files, false)?;
        target.check(files)?;
        for (at, bytes) in written.tails {
            run.may_act(&target.path)?;
            files.write_at(&target.file, &bytes, at).during_at(
                Operation::Write,
                &target.path,
                at,
            )?;
        }
        files.sync(&target.file).during(Operation::Flush, &target.path)?;
        Ok(())
    }
}
