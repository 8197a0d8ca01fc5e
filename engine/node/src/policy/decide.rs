//! What to archive and what to release, from what is known. Nothing here looks at anything.

use dray_io::{Handle, Time};
use std::path::PathBuf;
use std::time::Duration;

use super::candidates::Candidates;
use super::limits::{INFLOW, LEAD};
use crate::config::PolicyConfig;

/// What of a candidate has to be done before its space is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Held {
    /// The archive does not have it as it is now.
    HereOnly,
    /// It can be released.
    Archived,
}

/// A file that takes space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub path: PathBuf,
    pub handle: Handle,
    pub size: u64,
    /// Bytes on disk: what releasing it gives back.
    pub allocated: u64,
    pub modified: Time,
    /// The later of modification and access.
    pub used: Time,
    /// The same, or when a file that the archive has was archived or restored, if that is later:
    /// who has a file restored may not have read it yet, and a restore leaves the times as they
    /// were. What has been archived to make room does not wait for that.
    pub settled: Time,
    pub held: Held,
}

/// Whole seconds from `then` to `now`; none before it.
pub(crate) fn age(then: Time, now: Time) -> u64 {
    now.since(then).unwrap_or(0) / 1_000_000_000
}

impl Candidate {
    /// Seconds without use times bytes on disk: of two files of one size the older goes first, of
    /// two of one age the larger. A file twice as large goes as early as one twice as old, so that
    /// space is had with few recalls, and yet nothing large is driven out while it is worked with.
    pub fn score(&self, now: Time) -> u128 {
        u128::from(age(self.used, now) + 1) * u128::from(self.allocated)
    }
}

/// How full a physical file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes that ordinary users have or could have.
    pub total: u64,
    pub used: u64,
}

impl Usage {
    /// Of a directory on it.
    pub fn of(directory: &std::path::Path) -> std::io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        let used = found.f_blocks.saturating_sub(found.f_bfree);
        // As df has it: what is kept for root alone is nobody's to fill.
        let total = used.saturating_add(found.f_bavail);
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Self { total: bytes(total), used: bytes(used) })
    }

    pub fn percent(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.used as f64 * 100.0 / self.total as f64 }
    }

    fn bytes_at(&self, percent: u8) -> u64 {
        (u128::from(self.total) * u128::from(percent) / 100) as u64
    }
}

/// Whether space is short: from when more than `high` is used until less than `low` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure(bool);

impl Pressure {
    pub fn is_on(self) -> bool {
        self.0
    }

    /// Bytes that have to go; 0 while all is well. `inflow` are bytes that are written by the time
    /// they have gone: without these it would stay above the low mark for as long as anybody
    /// writes. No more of them than half of what lies between the marks.
    pub fn wanted(&mut self, policy: &PolicyConfig, usage: Usage, inflow: u64) -> u64 {
        let over = usage.used.checked_sub(usage.bytes_at(policy.low));
        self.0 = match over {
            None => false,
            Some(_) => self.0 || usage.used > usage.bytes_at(policy.high),
        };
        let most = (usage.bytes_at(policy.high) - usage.bytes_at(policy.low)) / 2;
        over.filter(|_| self.0).map_or(0, |over| over + 1 + inflow.min(most))
    }
}

/// How fast a file system is written to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inflow {
    /// Bytes per second.
    rate: f64,
    last: Option<Seen>,
}

/// What it is told from.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    used: u64,
    freed: u64,
}

impl Inflow {
    /// `at` counts from anywhere; `freed` are bytes given back since then.
    pub fn see(&mut self, at: Duration, used: u64, freed: u64) {
        let seen = Some(Seen { at, used, freed });
        let Some(last) = self.last else {
            self.last = seen;
            return;
        };
        let span = at.saturating_sub(last.at);
        if span < INFLOW {
            return;
        }
        let came = (used + freed.saturating_sub(last.freed)).saturating_sub(last.used);
        // Outcomes come later than the space.
        self.rate = (self.rate + came as f64 / span.as_secs_f64()) / 2.0;
        self.last = seen;
    }

    /// Bytes that come while others go.
    pub fn coming(&self) -> u64 {
        (self.rate * LEAD.as_secs_f64()) as u64
    }
}

/// How many files may be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub now: usize,
    pub ahead: usize,
}

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Archive, for which nobody waits.
    pub ahead: Vec<Candidate>,
    /// Archive and then release.
    pub archive: Vec<Candidate>,
    /// Release.
    pub release: Vec<Candidate>,
    /// Bytes of those that were wanted and are not to be had.
    pub lacking: u64,
}

/// Takes what is to be done now out of what is known. `wanted` are bytes that have to be given back
/// beside those that will be already. What the archive has goes first, for it goes at once.
pub fn decide(
    policy: &PolicyConfig,
    wanted: u64,
    now: Time,
    known: &mut Candidates,
    room: Room,
) -> Plan {
    let mut plan = Plan::default();
    let mut lacking = wanted;
    if wanted > 0 {
        let mut left = room.now;
        for (held, list) in
            [(Held::Archived, &mut plan.release), (Held::HereOnly, &mut plan.archive)]
        {
            let old = |it: &Candidate| age(it.settled, now) >= policy.min_age;
            let mut enough = |it: &Candidate| {
                let more = lacking > 0 && left > 0;
                if more {
                    lacking = lacking.saturating_sub(it.allocated);
                    left -= 1;
                }
                more
            };
            *list = known.take_best(held, now, &old, &mut enough);
        }
        plan.lacking = if left == 0 { 0 } else { lacking };
    } else if policy.archive_after > 0 {
        let old = |it: &Candidate| age(it.modified, now) >= policy.archive_after;
        let mut left = room.ahead;
        plan.ahead = known.take_best(Held::HereOnly, now, &old, &mut |_| {
            let more = left > 0;
            left = left.saturating_sub(1);
            more
        });
    }
    plan
}
