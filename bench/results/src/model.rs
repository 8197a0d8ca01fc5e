//! A run, its phases, their seconds, and what happened in each direction.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::latencies::Latencies;

/// What one host measured in one go.
#[derive(Clone, Debug)]
pub struct Run {
    pub host: String,
    pub environment: Environment,
    pub phases: Vec<Phase>,
    /// Why it ended before its time; `None` if it did not.
    pub partial: Option<String>,
}

/// One workload with one set of options.
#[derive(Clone, Debug)]
pub struct Phase {
    pub name: String,
    /// Every option as it was in force, defaults as well.
    pub options: BTreeMap<String, String>,
    /// Start of the measured part.
    pub started: SystemTime,
    /// Length of the measured part, which begins after the ramp.
    pub runtime: Duration,
    /// In order of their start, without overlap.
    pub intervals: Vec<Interval>,
    pub total: Directions,
    /// CPU time of the process, in user mode and in the kernel.
    pub user: Duration,
    pub system: Duration,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
    /// Mean number of I/Os in flight.
    pub depth_seen: f64,
    /// Calls of `io_uring_enter`, or of what the engine has in its place.
    pub syscalls: u64,
    /// The most kernel workers (io-wq) seen: more than none says that I/O was punted.
    pub workers: u64,
    /// Arrivals per second that were asked for; `None` in a closed loop.
    pub target_rate: Option<f64>,
    /// Arrivals of an open loop that found no room, and those that still waited at the end.
    pub dropped: u64,
    pub left: u64,
    pub steady: Option<Steady>,
    pub verified: Option<Verified>,
    /// What ended it early.
    pub error: Option<IoFailure>,
    /// What a reader of the figures should know, such as an engine that stood in for another.
    pub notes: Vec<String>,
}

/// A part of a phase, one second as a rule; the last may be shorter.
#[derive(Clone, Debug)]
pub struct Interval {
    /// From the start of the measured part.
    pub start: Duration,
    pub length: Duration,
    /// I/Os that completed within it.
    pub directions: Directions,
}

#[derive(Clone, Debug, Default)]
pub struct Directions {
    pub read: Direction,
    pub write: Direction,
    /// `sync` in fio's words.
    pub flush: Direction,
}

/// What happened in one direction.
#[derive(Clone, Debug, Default)]
pub struct Direction {
    /// Completed, those that failed not counted.
    pub ios: u64,
    pub bytes: u64,
    /// Completed with fewer bytes than asked for.
    pub short: u64,
    pub errors: u64,
    /// From submission to completion.
    pub service: Latencies,
    /// From the intended start to completion. `None` in a closed loop, where an I/O is intended
    /// when it is submitted: see [`Direction::response`].
    pub from_intended: Option<Latencies>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Read,
    Write,
    #[serde(rename = "sync")]
    Flush,
}

/// The verdict of a steady-state rule on rounds of one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// The rule in words, with its limits.
    pub criterion: String,
    pub attained: bool,
    /// Rounds run until it was attained or given up.
    pub rounds: u64,
    /// The figure of each round of the window that was judged.
    pub window: Vec<f64>,
    /// Largest minus smallest of the window, as a share of its mean.
    pub range: f64,
    /// Rise of the best-fit line over the window, as a share of the mean.
    pub rise: f64,
}

/// What a verification of written data found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub blocks: u64,
    /// Blocks whose content a flush covered, so that nothing else may be there.
    pub covered: u64,
    pub wrong: u64,
    /// The first wrong block in words: its offset, what was expected and what was there.
    pub first_wrong: Option<String>,
}

/// An I/O that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoFailure {
    pub kind: Kind,
    pub target: String,
    /// In bytes.
    pub offset: u64,
    pub length: u64,
    /// As in errno(3), positive; `None` where the kernel reported no error, as for wrong data.
    pub errno: Option<i32>,
    /// In words.
    pub cause: String,
    /// From the start of the measured part.
    pub after: Duration,
}

impl Phase {
    /// One that began at `started`, and in which nothing has happened yet.
    pub fn empty(started: SystemTime) -> Self {
        Self {
            name: String::new(),
            options: BTreeMap::new(),
            started,
            runtime: Duration::ZERO,
            intervals: Vec::new(),
            total: Directions::default(),
            user: Duration::ZERO,
            system: Duration::ZERO,
            voluntary_switches: 0,
            involuntary_switches: 0,
            depth_seen: 0.0,
            syscalls: 0,
            workers: 0,
            target_rate: None,
            dropped: 0,
            left: 0,
            steady: None,
            verified: None,
            error: None,
            notes: Vec::new(),
        }
    }
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Flush];

    /// As in fio's JSON.
    pub fn fio_name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "sync",
        }
    }
}

impl Directions {
    pub fn of(&self, kind: Kind) -> &Direction {
        match kind {
            Kind::Read => &self.read,
            Kind::Write => &self.write,
            Kind::Flush => &self.flush,
        }
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut Direction {
        match kind {
            Kind::Read => &mut self.read,
            Kind::Write => &mut self.write,
            Kind::Flush => &mut self.flush,
        }
    }

    pub fn add(&mut self, other: &Self) {
        for kind in Kind::ALL {
            self.of_mut(kind).add(other.of(kind));
        }
    }

    /// Gives memory back: see [`Latencies::pack`].
    pub fn pack(&mut self) {
        for kind in Kind::ALL {
            self.of_mut(kind).pack();
        }
    }
}

impl Direction {
    /// From the intended start to completion, in a closed loop as in an open one.
    pub fn response(&self) -> &Latencies {
        self.from_intended.as_ref().unwrap_or(&self.service)
    }

    /// Adds what another core, host or second has counted.
    pub fn add(&mut self, other: &Self) {
        if self.from_intended.is_some() || other.from_intended.is_some() {
            let all = self.from_intended.get_or_insert_with(|| self.service.clone());
            all.add(other.response());
        }
        self.service.add(&other.service);
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.short += other.short;
        self.errors += other.errors;
    }

    pub fn is_unused(&self) -> bool {
        self.ios == 0 && self.errors == 0
    }

    fn pack(&mut self) {
        self.service.pack();
        if let Some(from_intended) = &mut self.from_intended {
            from_intended.pack();
        }
    }
}
