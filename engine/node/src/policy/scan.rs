//! Going through managed directories for candidates: slowly, unless space is short.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dray_fs::LinuxFiles;
use dray_io::{Files, Kind};
use dray_mover::Walk;
use tokio::sync::mpsc;

use super::area::Area;
use super::busy::Busy;
use super::candidates::Candidates;
use super::decide::Candidate;
use super::limits::{LOOKS, PART, PART_TIME, PAUSE, PAUSE_MOST};

/// All candidates of an area, the best of which are kept.
pub fn survey(files: &LinuxFiles, area: &Area) -> Candidates {
    let mut known = Candidates::default();
    let now = files.now();
    for entry in walk(files, area) {
        if let Some(candidate) = area.look(files, &entry, &|_| false) {
            known.insert(candidate, 0, now);
        }
    }
    known
}

/// Files below an area. What vanishes meanwhile, or cannot be listed, is passed over: there is
/// another scan.
fn walk<'a>(files: &'a LinuxFiles, area: &Area) -> impl Iterator<Item = PathBuf> + use<'a> {
    let walk = Walk::new(files, vec![area.directory.clone()], area.passed_over.clone());
    walk.flatten().filter(|entry| entry.kind == Kind::File).map(|entry| entry.path)
}

/// What a scanner says.
pub(super) enum Found {
    Some { area: usize, candidates: Vec<Candidate> },
    End { area: usize, took: Duration },
}

/// Scans areas of one file system, one after the other, as they are named.
pub(super) struct Scanner {
    pub(super) files: LinuxFiles,
    pub(super) areas: Vec<Arc<Area>>,
    /// Space is short: no pauses.
    pub(super) haste: Arc<AtomicBool>,
    pub(super) busy: Arc<Busy>,
    pub(super) wanted: std::sync::mpsc::Receiver<usize>,
    pub(super) found: mpsc::Sender<Found>,
}

impl Scanner {
    /// Until nobody names any more, or nobody listens.
    pub(super) fn run(self) {
        while let Ok(area) = self.wanted.recv() {
            let began = Instant::now();
            if self.scan(area).is_none() {
                return;
            }
            let end = Found::End { area, took: began.elapsed() };
            if self.found.blocking_send(end).is_err() {
                return;
            }
        }
    }

    /// None if nobody listens.
    fn scan(&self, index: usize) -> Option<()> {
        let area = &self.areas[index];
        let mut part = Vec::new();
        let mut since = Instant::now();
        let mut looks = Instant::now();
        let (mut entries, mut count) = (walk(&self.files, area), 0);
        let look = |path: PathBuf| area.look(&self.files, &path, &|handle| self.busy.has(handle));
        loop {
            let entry = entries.next();
            let over = entry.is_none();
            part.extend(entry.and_then(look));
            if part.len() >= PART || since.elapsed() >= PART_TIME || over {
                let candidates = std::mem::take(&mut part);
                self.found.blocking_send(Found::Some { area: index, candidates }).ok()?;
                since = Instant::now();
            }
            if over {
                return Some(());
            }
            count += 1;
            if count % LOOKS == 0 {
                if !self.haste.load(Ordering::Relaxed) {
                    std::thread::sleep((looks.elapsed() * PAUSE).min(PAUSE_MOST));
                }
                if self.found.is_closed() {
                    return None;
                }
                looks = Instant::now();
            }
        }
    }
}
