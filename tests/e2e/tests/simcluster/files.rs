//! The files, and the users who write to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dray_archive::{Archive, VolumePlace};
use dray_io::{Access, Files};
use dray_sim::{Options, Sim};

use crate::agenda::Event;
use crate::checks::Shape;
use crate::cluster::Cluster;
use crate::random::Random;
use crate::scenario::Scenario;

pub(crate) const DATA: &str = "/data";
pub(crate) const ARCHIVE: &str = "/archive";
pub(crate) const VOLUME_BYTES: u64 = 32 << 20;
/// Bytes per request.
pub(crate) const UNIT: u32 = 64 << 10;
/// Longer than any time in which the mover does not trust times.
const LONG: u64 = 1_000_000_000;

/// Bytes without a zero among them, so that data lost is told from data.
pub(crate) fn content(random: &mut Random, length: u64) -> Arc<[u8]> {
    let mut bytes = Vec::with_capacity(length as usize + 8);
    while (bytes.len() as u64) < length {
        let word = random.next() | 0x0101_0101_0101_0101;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(length as usize);
    bytes.into()
}

pub(crate) fn path_of(file: usize) -> PathBuf {
    Path::new(DATA).join(format!("file-{file}"))
}

pub(crate) fn place() -> VolumePlace {
    VolumePlace::Directory { path: ARCHIVE.into(), volume_bytes: VOLUME_BYTES }
}

/// The machine that all processes run on, at rest.
pub(crate) fn base(scenario: &Scenario) -> Sim {
    // A lease says when writes are submitted; that a disk does them in time is assumed.
    let prompt_writes = true;
    let options = Options { slots: 2, slot_bytes: UNIT, prompt_writes, ..Options::default() };
    let sim = Sim::with(1, options);
    sim.tree().mkdir_all(DATA);
    sim.tree().mkdir_all(ARCHIVE);
    Archive::create(&sim, &place(), [7; 16], &[]).unwrap();
    let mut random = Random::new(1);
    for file in 0..scenario.files {
        let length = random.between(1, scenario.file_bytes);
        sim.tree().write_file(path_of(file), &content(&mut random, length));
    }
    sim.advance(LONG);
    sim
}

impl Cluster {
    /// Somebody writes to a file, if it is all there and nobody moves it.
    pub(crate) fn user_writes(&mut self) {
        if self.calm {
            return;
        }
        let at = self.soon(self.scenario.mix.write_ms);
        self.agenda.note(at, Event::User);
        let file = self.random.index(self.scenario.files);
        let shape = self.checks.shape(file);
        let path = path_of(file);
        let there = matches!(shape, Shape::Resident | Shape::Archived | Shape::Dirty);
        // Who opens a file that is leased waits; this one comes back another time.
        if !there || self.sim.open(&path, Access::Look).is_err() {
            return;
        }
        let mut bytes = self.sim.tree().read_file(&path);
        if self.random.below(2) == 0 {
            let length = self.random.between(1, self.scenario.file_bytes);
            bytes = content(&mut self.random, length).to_vec();
            self.sim.tree().write_file(&path, &bytes);
        } else {
            let from = self.random.index(bytes.len());
            let length = self.random.between(1, (bytes.len() - from) as u64);
            let part = content(&mut self.random, length);
            bytes[from..from + part.len()].copy_from_slice(&part);
            self.sim.tree().overwrite(&path, from as u64, &part);
        }
        self.trace.say(self.now, || format!("  {} is written by its user", path.display()));
        self.checks.written(file, bytes.into());
        self.checks.observe(self.now, &self.sim, file);
    }
}
