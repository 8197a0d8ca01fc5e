//! When answers are given: each wakes all who wait for one of the same group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dray_fs::watch::{Access, Group};
use rustix::io::Errno;

use crate::limits::{CROWD, WAKE};

/// Answers that are held back while very many wait, to be given together: who is awake already is
/// not woken again.
#[derive(Debug)]
pub(crate) struct Answers {
    held: Vec<(usize, Access, Result<(), Errno>)>,
    last: Instant,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { held: Vec::new(), last: Instant::now() }
    }

    /// All that wait: those of whom nobody has answered, and those whose answers are held.
    pub(crate) fn crowd(&self, pending: usize) -> usize {
        pending + self.held.len()
    }

    /// Gives an answer, or holds it back for a while if very many wait.
    pub(crate) fn give(
        &mut self,
        groups: &[Arc<Group>],
        group: usize,
        access: Access,
        answer: Result<(), Errno>,
        pending: usize,
    ) {
        if self.crowd(pending) < CROWD {
            return give(&groups[group], &access, answer);
        }
        self.held.push((group, access, answer));
    }

    /// How long until those that are held are to be given; none if there are none.
    pub(crate) fn due(&self, pending: usize) -> Option<Duration> {
        let pause = WAKE * u32::try_from(self.crowd(pending)).unwrap_or(u32::MAX);
        (!self.held.is_empty()).then(|| pause.saturating_sub(self.last.elapsed()))
    }

    pub(crate) fn give_all(&mut self, groups: &[Arc<Group>]) {
        for (group, access, answer) in self.held.drain(..) {
            give(&groups[group], &access, answer);
        }
        self.last = Instant::now();
    }
}

/// Gives an answer at once.
pub(crate) fn give(group: &Group, access: &Access, answer: Result<(), Errno>) {
    use std::os::fd::AsFd;
    if let Err(error) = group.answer(access.file.as_fd(), answer) {
        tracing::error!(%error, "an answer is not taken");
        // Nothing is worse than an access that waits for ever.
        let _ = group.answer(access.file.as_fd(), Err(Errno::IO));
    }
}
