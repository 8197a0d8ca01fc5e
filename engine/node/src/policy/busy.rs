//! Files that are being moved. Whoever opens one ends the lease of its release, so the scanner
//! does not.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dray_io::Handle;

/// Bounded by what may be under way at once.
#[derive(Debug, Default)]
pub(super) struct Busy(Mutex<HashSet<Handle>>);

impl Busy {
    fn locked(&self) -> MutexGuard<'_, HashSet<Handle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, handle: &Handle) -> bool {
        self.locked().contains(handle)
    }

    pub(super) fn insert(&self, handle: Handle) {
        self.locked().insert(handle);
    }

    pub(super) fn remove(&self, handle: &Handle) {
        self.locked().remove(handle);
    }
}
