//! The best candidates, as many as memory is to be spent on.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use dray_io::{Handle, Time};

use super::decide::{Candidate, Held};
use super::limits::{KNOWN, KNOWN_NAMES};

/// Of one state.
#[derive(Debug, Default)]
struct Best {
    /// With the number of the scan that found it.
    files: HashMap<Handle, (Candidate, u64)>,
    /// Bytes.
    names: usize,
}

fn name_bytes(candidate: &Candidate) -> usize {
    candidate.path.as_os_str().as_bytes().len()
}

impl Best {
    fn remove(&mut self, handle: &Handle) -> Option<Candidate> {
        let (candidate, _) = self.files.remove(handle)?;
        self.names -= name_bytes(&candidate);
        Some(candidate)
    }

    fn insert(&mut self, candidate: Candidate, scan: u64, now: Time) {
        self.remove(&candidate.handle);
        self.names += name_bytes(&candidate);
        self.files.insert(candidate.handle, (candidate, scan));
        if self.files.len() > KNOWN || self.names > KNOWN_NAMES {
            // Half of them, so that it is seldom done.
            for handle in self.by_score(now, &|_| true).split_off(self.files.len() / 2) {
                self.remove(&handle);
            }
        }
    }

    /// Best first.
    fn by_score(&self, now: Time, fits: &dyn Fn(&Candidate) -> bool) -> Vec<Handle> {
        let fitting = self.files.values().filter(|(it, _)| fits(it));
        let mut scored: Vec<_> = fitting.map(|(it, _)| (it.score(now), it.handle)).collect();
        scored.sort_unstable_by(|one, other| other.cmp(one));
        scored.into_iter().map(|(_, handle)| handle).collect()
    }
}

/// Files that may be archived or released, the best of each state.
#[derive(Debug, Default)]
pub struct Candidates {
    here_only: Best,
    archived: Best,
}

impl Candidates {
    fn of(&mut self, held: Held) -> &mut Best {
        match held {
            Held::HereOnly => &mut self.here_only,
            Held::Archived => &mut self.archived,
        }
    }

    /// Adds one, in place of what was known of the file.
    pub fn insert(&mut self, candidate: Candidate, scan: u64, now: Time) {
        self.here_only.remove(&candidate.handle);
        self.archived.remove(&candidate.handle);
        self.of(candidate.held).insert(candidate, scan, now);
    }

    /// Forgets what a scan that has ended did not find any more.
    pub fn forget_before(&mut self, scan: u64) {
        for best in [&mut self.here_only, &mut self.archived] {
            best.files.retain(|_, (_, found)| *found >= scan);
            best.names = best.files.values().map(|(it, _)| name_bytes(it)).sum();
        }
    }

    /// Takes those that fit out, best first, for as long as `enough` says.
    pub fn take_best(
        &mut self,
        held: Held,
        now: Time,
        fits: &dyn Fn(&Candidate) -> bool,
        more: &mut dyn FnMut(&Candidate) -> bool,
    ) -> Vec<Candidate> {
        let best = self.of(held);
        let mut taken = Vec::new();
        for handle in best.by_score(now, fits) {
            if !best.files.get(&handle).is_some_and(|(it, _)| more(it)) {
                break;
            }
            taken.extend(best.remove(&handle));
        }
        taken
    }

    /// How many are known of a state.
    pub fn count(&self, held: Held) -> usize {
        match held {
            Held::HereOnly => self.here_only.files.len(),
            Held::Archived => self.archived.files.len(),
        }
    }
}
