//! Counts of files.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the files so far.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) files: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Requests, of whomever, that come before the last one that was asked for.
    pub(crate) before: AtomicU64,
    /// ms until that one is over; 0 if that is not known.
    pub(crate) eta_ms: AtomicU64,
}

impl Totals {
    /// Where the last request stands.
    pub(crate) fn place(&self) -> String {
        match (Self::count(&self.before), Self::count(&self.eta_ms)) {
            (0, _) => String::new(),
            (before, 0) => format!(", {before} in the queue"),
            (before, ms) => format!(", {before} in the queue, about {} s", ms.div_ceil(1000)),
        }
    }

    pub(crate) fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
