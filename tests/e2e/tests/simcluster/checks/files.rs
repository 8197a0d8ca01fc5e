//! Files: their content as their users left it, and how they stand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dray_io::Handle;
use dray_mover::{Attribute, Kept, Standing};
use dray_sim::Sim;
use dray_wire::{FileHandle, Status, Verb};

use super::requests::Known;
use super::{Check, Checks, Publisher};
use crate::files::path_of;

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Resident,
    Archived,
    Dirty,
    Released,
    /// A release or restore has begun, or a part of it is there.
    Between,
    /// What the mover says of files that somebody wrote to while they were away: nobody does.
    Spoilt,
}

impl Shape {
    pub(crate) fn is_there(self) -> bool {
        matches!(self, Self::Resident | Self::Archived | Self::Dirty)
    }

    fn is_after(self, verb: Verb) -> bool {
        match verb {
            // Its user may have written since it was compared.
            Verb::ARCHIVE => matches!(self, Self::Archived | Self::Dirty),
            Verb::RELEASE => self == Self::Released,
            Verb::RESTORE => self.is_there(),
            _ => self == Self::Resident,
        }
    }
}

#[derive(Debug)]
pub(crate) struct FileState {
    pub(crate) path: PathBuf,
    pub(crate) handle: FileHandle,
    content: Arc<[u8]>,
    /// Grows with each write of the user.
    version: u64,
    /// How it stood, and since when; the last is now.
    history: Vec<(u64, Shape)>,
    /// Who marked which version as archived last.
    published: Option<Publisher>,
    /// What it is sure to be, by the last that was done to it.
    settled: Option<Verb>,
    /// Movements that were asked for and not accepted, as far as anybody knows.
    unsure: u64,
}

impl FileState {
    pub(super) fn version(&self) -> u64 {
        self.version
    }
}

fn standing_of(sim: &Sim, path: &Path) -> Standing {
    let tree = sim.tree();
    let bytes = tree.attribute(path);
    let attribute = bytes.map(|bytes| Attribute::decode(&bytes).expect("a whole attribute"));
    Standing::judge(&tree.stat(path), attribute)
}

fn shape_of(sim: &Sim, path: &Path) -> Shape {
    match standing_of(sim, path) {
        Standing::Resident => Shape::Resident,
        Standing::Archived { .. } => Shape::Archived,
        Standing::Dirty(_) => Shape::Dirty,
        Standing::Away { attribute, .. }
            if attribute.kept == Kept::Released && !attribute.moving =>
        {
            Shape::Released
        }
        Standing::Away { .. } => Shape::Between,
        Standing::Overwritten(_) | Standing::Foreign(_) => Shape::Spoilt,
    }
}

impl Checks {
    pub(crate) fn look_at_all(&mut self, sim: &Sim, files: usize) {
        for file in 0..files {
            let path = path_of(file);
            let Handle { file_system, inode, generation } = sim.tree().stat(&path).handle;
            let handle = FileHandle { file_system, inode, generation };
            self.by_handle.insert(handle, file);
            self.files.push(FileState {
                content: sim.tree().read_file(&path).into(),
                history: vec![(0, shape_of(sim, &path))],
                version: 0,
                published: None,
                settled: None,
                unsure: 0,
                path,
                handle,
            });
        }
    }

    pub(crate) fn shape(&self, file: usize) -> Shape {
        self.files[file].history.last().expect("it began somehow").1
    }

    pub(crate) fn observe(&mut self, now: u64, sim: &Sim, file: usize) {
        let shape = shape_of(sim, &self.files[file].path);
        if shape == self.shape(file) {
            return;
        }
        self.files[file].history.push((now, shape));
        if shape == Shape::Spoilt {
            let path = self.files[file].path.display();
            self.fault(Check::Whole, format!("{path} is taken for one that somebody wrote to"));
        }
    }

    pub(crate) fn written(&mut self, file: usize, content: Arc<[u8]>) {
        let state = &mut self.files[file];
        state.content = content;
        state.version += 1;
        state.settled = None;
    }

    /// Whether a file stood in a way at some time since.
    pub(crate) fn stood(&self, file: usize, since: u64, how: impl Fn(Shape) -> bool) -> bool {
        let history = &self.files[file].history;
        history.iter().enumerate().any(|(index, (_, shape))| {
            let until = history.get(index + 1).map_or(u64::MAX, |(at, _)| *at);
            until >= since && how(*shape)
        })
    }

    /// A file is about to be marked as archived.
    pub(super) fn publishes(&mut self, sim: &Sim, file: usize, by: Publisher) {
        let standing = standing_of(sim, &self.files[file].path);
        let archived = matches!(standing, Standing::Archived { certain: true, .. });
        let state = &mut self.files[file];
        let Some(before) = state.published.replace(by) else { return };
        let again = before.version == by.version && before.order != by.order;
        let excused = [&before, &by].into_iter().any(|it| self.losses.may_be_done_again(it));
        if again && archived && !excused {
            let path = self.files[file].path.display();
            self.fault(Check::Whole, format!("{path} is published by {by:?}, after {before:?}"));
        }
    }

    /// A movement is asked for: how the file stands is open from now on.
    pub(crate) fn asked(&mut self, file: usize) {
        self.files[file].settled = None;
        self.files[file].unsure += 1;
    }

    pub(crate) fn answered(&mut self, file: usize) {
        self.files[file].unsure -= 1;
    }

    /// A request was done: its effect must have been there.
    pub(crate) fn effect(&mut self, request: &Known, status: Status) {
        if status != Status::DONE {
            return;
        }
        self.counts.done += 1;
        let Known { file, verb, since, .. } = *request;
        let there = self.stood(file, since, |shape| shape.is_after(verb));
        if !there {
            let state = &self.files[file];
            let what = format!(
                "{verb} of {} is done, and was not: {:?}",
                state.path.display(),
                state.history
            );
            self.fault(Check::Promise, what);
        }
        if self.files[file].unsure == 0 && !self.requests.is_awaited(file) {
            // It may be heard of late, when another was done since.
            let lasts = self.shape(file).is_after(verb);
            self.files[file].settled = lasts.then_some(verb);
        }
    }

    /// The machines have come up again with what their disks hold.
    pub(crate) fn after_power(&mut self, now: u64, sim: &Sim) {
        self.touched.clear();
        for file in 0..self.files.len() {
            self.observe(now, sim, file);
            self.content(sim, file);
            let (state, shape) = (&self.files[file], self.shape(file));
            // An archive says that it is done when the copy is durable, not the mark on the file:
            // without that the file is archived once more.
            let settled = state.settled.filter(|verb| *verb != Verb::ARCHIVE);
            if let Some(verb) = settled.filter(|verb| !shape.is_after(*verb)) {
                let path = state.path.display();
                let what = format!("{verb} of {path} was done, and is undone: {shape:?}");
                self.fault(Check::Promise, what);
            }
        }
    }

    /// The content of a file that is there is what its user wrote last, all of it.
    pub(crate) fn content(&mut self, sim: &Sim, file: usize) {
        let state = &self.files[file];
        if !self.shape(file).is_there() {
            return;
        }
        let found = sim.tree().read_file(&state.path);
        if found[..] == state.content[..] {
            return;
        }
        let at = found.iter().zip(state.content.iter()).position(|(a, b)| a != b);
        let path = state.path.display();
        let (is, was) = (found.len(), state.content.len());
        let what = format!("{path}: {is} bytes, not the {was} of its user; differs at {at:?}");
        self.fault(Check::Whole, what);
    }
}
