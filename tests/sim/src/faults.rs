//! What is to go wrong, and when.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dray_io::{Operation, Range};

use crate::errors::{Errno, crashed};

/// An error to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Any operation can give it.
    Eio,
    /// Given by operations that take space.
    NoSpace,
    /// Given by requests of a ring.
    Eagain,
}

/// Which way data moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Read,
    Write,
}

/// Part of a file that fails each time, as a bad sector does.
#[derive(Debug, Clone)]
pub struct BadRange {
    /// As the file was opened.
    pub path: PathBuf,
    pub range: Range,
    pub way: Way,
}

/// A plan of faults. Operations are counted from 1, from when the plan was set.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// This operation and all later ones fail with [`Crashed`](crate::Crashed).
    pub crash_at: Option<u64>,
    /// The first operation from this one on that can give the failure gives it.
    pub fail_at: Option<(u64, Failure)>,
    /// All operations from `fail_at` on that can give the failure give it.
    pub persistent: bool,
    /// Chance that a ring moves fewer bytes than it was asked to.
    pub short_percent: u32,
    pub bad_ranges: Vec<BadRange>,
}

impl Faults {
    pub fn crash_at(operation: u64) -> Self {
        Self { crash_at: Some(operation), ..Self::default() }
    }

    pub fn fail_at(operation: u64, failure: Failure) -> Self {
        Self { fail_at: Some((operation, failure)), ..Self::default() }
    }

    pub fn fail_from(operation: u64, failure: Failure) -> Self {
        Self { persistent: true, ..Self::fail_at(operation, failure) }
    }
}

/// One operation, as the trace lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Since the world was made, from 1.
    pub number: u64,
    pub operation: Operation,
    pub path: Arc<Path>,
    pub range: Option<Range>,
    /// A request of a ring, not a call.
    pub ring: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = if self.ring { " (ring)" } else { "" };
        write!(f, "{:>6} {} {}", self.number, self.operation, self.path.display())?;
        self.range.map_or(Ok(()), |range| write!(f, " {}..{}", range.start, range.end))?;
        f.write_str(ring)
    }
}

/// A plan under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) faults: Faults,
    pub(crate) fired: bool,
    count: u64,
    failed: bool,
}

impl Plan {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    pub(crate) fn judge(&mut self, step: &Step) -> io::Result<()> {
        self.count += 1;
        let verdict = self.verdict(step);
        self.fired |= verdict.is_err();
        verdict
    }

    fn verdict(&mut self, step: &Step) -> io::Result<()> {
        if self.faults.crash_at.is_some_and(|at| self.count >= at) {
            return Err(crashed());
        }
        if let Some((at, failure)) = self.faults.fail_at
            && self.count >= at
            && (self.faults.persistent || !self.failed)
            && can_give(step, failure)
        {
            self.failed = true;
            return Err(match failure {
                Failure::Eio => Errno::Io.into(),
                Failure::NoSpace => Errno::NoSpace.into(),
                Failure::Eagain => Errno::Again.into(),
            });
        }
        if self.faults.bad_ranges.iter().any(|bad| bad.hits(step)) {
            return Err(Errno::Io.into());
        }
        Ok(())
    }
}

impl BadRange {
    fn hits(&self, step: &Step) -> bool {
        let way = match step.operation {
            Operation::Read => Way::Read,
            Operation::Write => Way::Write,
            _ => return false,
        };
        let meets = step.range.is_some_and(|range| range.intersect(self.range).is_some());
        way == self.way && meets && self.path == *step.path
    }
}

fn can_give(step: &Step, failure: Failure) -> bool {
    use Operation as O;
    match failure {
        Failure::Eio => true,
        Failure::NoSpace => matches!(
            step.operation,
            O::Create | O::Write | O::Allocate | O::WriteAttribute | O::Rename
        ),
        Failure::Eagain => step.ring,
    }
}
