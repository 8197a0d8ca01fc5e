//! Runs of the mover, each as a process of its own.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dray_archive::{Archive, VolumePlace};
use dray_io::Range;
use dray_mover::{
    ArchiveOptions, Entry, Error, RemoveOptions, RestoreOptions, Run, Tally, Walk, Watch, archive,
    release, remove, restore,
};
use dray_sim::Sim;

use crate::world::{ARCHIVE, DATA, UNIT};

/// What a process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Archive,
    Release,
    Restore,
    RestoreRange(Range),
    /// For somebody who is about to read it.
    ReadNext(Range),
    Remove,
}

/// What it told of.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<PathBuf>,
    pub(crate) failed: Vec<(PathBuf, Error)>,
    pub(crate) ended: Option<Error>,
}

impl Outcome {
    /// Complaints, for messages.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let ended = self.ended.iter().map(ToString::to_string);
        self.failed.iter().map(|(_, error)| error.to_string()).chain(ended).collect()
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.ended.is_none()
    }
}

#[derive(Default)]
struct Listener(Mutex<Outcome>);

impl Watch for Listener {
    fn done(&self, path: &Path, _bytes: u64) {
        self.0.lock().unwrap().done.push(path.to_owned());
    }

    fn failed(&self, path: &Path, error: &Error) {
        self.0.lock().unwrap().failed.push((path.to_owned(), copy_of(error)));
    }
}

/// Errors are not `Clone`; what tests ask of one is its kind and its text.
fn copy_of(error: &Error) -> Error {
    let path = |path: &PathBuf| path.clone();
    match error {
        Error::Overwritten { path: p } => Error::Overwritten { path: path(p) },
        Error::Changed { path: p } => Error::Changed { path: path(p) },
        Error::Dirty { path: p } => Error::Dirty { path: path(p) },
        Error::InUse { path: p } => Error::InUse { path: path(p) },
        Error::NotArchived { path: p } => Error::NotArchived { path: path(p) },
        Error::NotResident { path: p } => Error::NotResident { path: path(p) },
        other => Error::NoRing(std::io::Error::other(other.to_string())),
    }
}

/// Opens the archive, moves everything, and closes it.
pub(crate) fn act(sim: &Sim, place: &VolumePlace, what: Act) -> Outcome {
    let listener = Listener::default();
    let tally = Tally::default();
    let run = Run { tally: &tally, watch: &listener };
    let ended = try_act(sim, place, what, &run).err();
    Outcome { ended, ..listener.0.into_inner().unwrap() }
}

pub(crate) fn try_act(
    sim: &Sim,
    place: &VolumePlace,
    what: Act,
    run: &Run<'_>,
) -> Result<(), Error> {
    let tier = Archive::open(sim, place)?;
    let mut walk = Walk::new(sim, vec![PathBuf::from(DATA)], vec![PathBuf::from(ARCHIVE)]);
    let unit = UNIT;
    let moved = match what {
        Act::Archive => archive(sim, &tier, &mut walk, ArchiveOptions { hash: false, unit }, run),
        Act::Release => release(sim, &tier, &mut walk, run),
        Act::Restore => restore(sim, &tier, &mut walk, RestoreOptions::new(unit), run),
        Act::RestoreRange(range) | Act::ReadNext(range) => {
            let part = |entry| Entry { range: Some(range), ..entry };
            let mut feed = walk.map(|found| found.map(part));
            let read_next = matches!(what, Act::ReadNext(_));
            restore(sim, &tier, &mut feed, RestoreOptions { unit, read_next }, run)
        }
        Act::Remove => remove(sim, &tier, &mut walk, RemoveOptions::default(), run),
    };
    let closed = tier.close(sim).map_err(Error::from);
    moved.and(closed)
}
