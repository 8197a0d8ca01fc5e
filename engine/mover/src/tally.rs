//! What a run did, for progress and reports.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dray_io::RingCounters;
use hdrhistogram::Histogram;

use crate::error::{Error, Result};
use crate::pace::Pace;

/// Nanoseconds; the longest latency that is told apart: a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Latencies in nanoseconds, of one core or hand. 1.5 significant digits: 20 KiB each.
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, LATENCY_MAX_NS, 2);
        Self(histogram.expect("the bounds are valid"))
    }
}

impl Latency {
    /// Never allocates.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Nanoseconds below which this share of all lies.
    pub fn percentile(&self, percent: f64) -> u64 {
        self.0.value_at_percentile(percent)
    }

    pub fn max(&self) -> u64 {
        self.0.max()
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

/// Counts of one run; shared by all hands and cores, which add to it once per file or piece.
#[derive(Default)]
pub struct Tally {
    pub files: AtomicU64,
    /// Files passed over because there was nothing to do.
    pub skipped: AtomicU64,
    pub failed: AtomicU64,
    /// Bytes of file data moved.
    pub bytes: AtomicU64,
    rings: Mutex<RingCounters>,
    blocks: Mutex<Latency>,
    per_file: Mutex<Latency>,
}

/// Who hears of each file.
pub trait Watch: Sync {
    fn done(&self, _path: &Path, _bytes: u64) {}
    fn skipped(&self, _path: &Path, _why: &'static str) {}
    fn failed(&self, path: &Path, error: &Error);

    /// Whether files may still be changed. Asked before each change that somebody else might make
    /// meanwhile; who works under a lease says when it has ended.
    fn may_act(&self) -> bool {
        true
    }

    /// How much may be under way.
    fn pace(&self) -> Pace {
        Pace::Full
    }

    /// Asked at [`Pace::Least`] before something begins with nothing else under way: may wait for
    /// a while until nobody else does.
    fn give_way(&self) {}
}

/// Tally and watcher together, as the mover carries them.
pub struct Run<'a> {
    pub tally: &'a Tally,
    pub watch: &'a dyn Watch,
}

impl Run<'_> {
    /// Fails if nothing may be changed any more.
    pub(crate) fn may_act(&self, path: &Path) -> Result<()> {
        if self.watch.may_act() { Ok(()) } else { Err(Error::LeaseEnded { path: path.to_owned() }) }
    }

    pub(crate) fn done(&self, path: &Path, bytes: u64) {
        self.tally.files.fetch_add(1, Ordering::Relaxed);
        self.watch.done(path, bytes);
    }

    pub(crate) fn moved(&self, bytes: u64) {
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a file of whose outcome only the caller is told.
    pub(crate) fn counted<T>(&self, outcome: Result<T>) -> Result<T> {
        let counter = if outcome.is_ok() { &self.tally.files } else { &self.tally.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    pub(crate) fn skipped(&self, path: &Path, why: &'static str) {
        self.tally.skipped.fetch_add(1, Ordering::Relaxed);
        self.watch.skipped(path, why);
    }

    pub(crate) fn failed(&self, path: &Path, error: &Error) {
        self.tally.failed.fetch_add(1, Ordering::Relaxed);
        self.watch.failed(path, error);
    }
}

impl Tally {
    pub fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(crate) fn add_ring(&self, counters: RingCounters, blocks: &Latency) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += counters;
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).add(blocks);
    }

    pub(crate) fn add_files(&self, latency: &Latency) {
        self.per_file.lock().unwrap_or_else(PoisonError::into_inner).add(latency);
    }

    pub fn rings(&self) -> RingCounters {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Latency of a block from queueing its read to the end of its write.
    pub fn with_blocks<T>(&self, look: impl FnOnce(&Latency) -> T) -> T {
        look(&self.blocks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Latency of a small file from opening it to having its data in memory or on disk.
    pub fn with_files<T>(&self, look: impl FnOnce(&Latency) -> T) -> T {
        look(&self.per_file.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
