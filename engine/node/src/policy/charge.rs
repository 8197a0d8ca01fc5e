//! One managed directory in the charge of a keeper: what is known, asked for, and done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dray_fs::LinuxFiles;
use dray_io::{Files, Handle, Time};
use dray_wire::messages::Outcome;
use dray_wire::{Class, RequestId, SessionId, Status, Verb};

use super::area::Area;
use super::board::{Standings, epoch_seconds};
use super::busy::Busy;
use super::candidates::Candidates;
use super::decide::{Candidate, Held, Inflow, Plan, Pressure, Room, Usage, decide};
use super::limits::{AHEAD, REST, RESTING, UNDER_WAY};

/// Why something was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Ahead,
    /// To be released when it is archived.
    Room,
    Release,
}

impl Aim {
    /// What is asked for. Making room goes before everything but those who wait for data: whoever
    /// writes meanwhile, and every restore, needs it.
    pub(super) fn ask(self) -> (Class, Verb) {
        match self {
            Self::Ahead => (Class::BACKGROUND, Verb::ARCHIVE),
            Self::Room => (Class::INTERACTIVE, Verb::ARCHIVE),
            Self::Release => (Class::INTERACTIVE, Verb::RELEASE),
        }
    }
}

pub(super) struct Charge {
    pub(super) area: Arc<Area>,
    pub(super) session: Option<SessionId>,
    known: Candidates,
    pressure: Pressure,
    inflow: Inflow,
    began: Instant,
    open: HashMap<RequestId, (Aim, Candidate)>,
    /// Files of these, for the scanner.
    busy: Arc<Busy>,
    /// Files that were refused, and when.
    resting: HashMap<Handle, Instant>,
    /// Number of the scan under way or next.
    scan: u64,
    /// When the last scan ended, and how long it took.
    scanned: Option<(Instant, Duration)>,
    /// What is known was not enough.
    used_up: bool,
    pub(super) done: Standings,
}

impl Charge {
    pub(super) fn new(area: Arc<Area>, busy: Arc<Busy>) -> Self {
        Self {
            area,
            busy,
            session: None,
            known: Candidates::default(),
            pressure: Pressure::default(),
            inflow: Inflow::default(),
            began: Instant::now(),
            open: HashMap::new(),
            resting: HashMap::new(),
            scan: 0,
            scanned: None,
            used_up: false,
            done: Standings::default(),
        }
    }

    pub(super) fn is_short(&self) -> bool {
        self.pressure.is_on()
    }

    /// Whether to go through the directory now.
    pub(super) fn needs_scan(&self, rescan: Duration) -> bool {
        let Some((ended, took)) = self.scanned else { return true };
        // What a scan costs has to be in a relation to what it is for.
        let pause = if self.used_up { rescan.max(took / 4) } else { self.area.refresh().max(took) };
        ended.elapsed() >= pause
    }

    pub(super) fn found(&mut self, candidates: Vec<Candidate>, now: Time) {
        self.resting.retain(|_, since| since.elapsed() < REST);
        for candidate in candidates {
            let handle = candidate.handle;
            if !self.busy.has(&handle) && !self.resting.contains_key(&handle) {
                self.known.insert(candidate, self.scan, now);
            }
        }
    }

    pub(super) fn scan_ended(&mut self, took: Duration) {
        self.known.forget_before(self.scan);
        self.scan += 1;
        self.scanned = Some((Instant::now(), took));
    }

    /// Bytes that will be given back by what is under way.
    pub(super) fn coming(&self) -> u64 {
        let open = self.open.values().filter(|(aim, _)| *aim != Aim::Ahead);
        open.map(|(_, candidate)| candidate.allocated).sum()
    }

    /// What to do now beside what is under way. `coming` are bytes that will be given back, here
    /// and elsewhere on the file system.
    pub(super) fn plan(&mut self, files: &LinuxFiles, usage: Usage, coming: u64) -> Plan {
        let now = files.now();
        let ahead = self.open.values().filter(|(aim, _)| *aim == Aim::Ahead).count();
        let room = self.open.len() - ahead;
        self.inflow.see(self.began.elapsed(), usage.used, self.done.released_bytes);
        let wanted = self.pressure.wanted(&self.area.policy, usage, self.inflow.coming());
        let wanted = wanted.saturating_sub(coming);
        let left = |most: usize, open: usize| most.saturating_sub(open);
        let room = Room { now: left(UNDER_WAY, room), ahead: left(AHEAD, ahead) };
        let nothing = self.is_short() && wanted == 0;
        let plan = match nothing {
            true => Plan::default(),
            false => decide(&self.area.policy, wanted, now, &mut self.known, room),
        };
        self.used_up = plan.lacking > 0;
        self.again(files, plan, now)
    }

    /// As it is now: what has changed since it was found comes again.
    fn again(&mut self, files: &LinuxFiles, plan: Plan, now: Time) -> Plan {
        let Plan { ahead, archive, release, lacking } = plan;
        let area = Arc::clone(&self.area);
        // What was archived here has been changed by that alone.
        let is_same = |old: &Candidate, new: &Candidate| {
            let here = old.settled == old.used;
            (old.held, old.used) == (new.held, new.used) && (here || new.settled == old.settled)
        };
        let mut look = |old: Vec<Candidate>| {
            let mut same = Vec::new();
            for old in old {
                match area.look_again(files, &old) {
                    Some(new) if is_same(&old, &new) => {
                        same.push(Candidate { settled: old.settled, ..new });
                    }
                    Some(new) => self.known.insert(new, self.scan, now),
                    None => {}
                }
            }
            same
        };
        Plan { ahead: look(ahead), archive: look(archive), release: look(release), lacking }
    }

    pub(super) fn asked(&mut self, request: RequestId, aim: Aim, candidate: Candidate) {
        self.busy.insert(candidate.handle);
        self.open.insert(request, (aim, candidate));
    }

    /// It was not accepted.
    pub(super) fn put_back(&mut self, candidates: Vec<Candidate>, now: Time) {
        for candidate in candidates {
            self.known.insert(candidate, self.scan, now);
        }
    }

    /// Nothing will be heard of what is open.
    pub(super) fn forget_open(&mut self) {
        for (_, (_, candidate)) in self.open.drain() {
            self.busy.remove(&candidate.handle);
        }
        self.session = None;
    }

    /// Whether it was of here; with what went wrong.
    pub(super) fn hear(&mut self, outcome: &Outcome, now: Time) -> Option<Result<(), Candidate>> {
        let (aim, candidate) = self.open.remove(&outcome.request)?;
        self.busy.remove(&candidate.handle);
        let name = candidate.path.display();
        match (outcome.status, aim) {
            (Status::DONE | Status::NOTHING, Aim::Ahead | Aim::Room) => {
                if outcome.status == Status::DONE {
                    self.done.archived_files += 1;
                    self.done.archived_bytes += candidate.size;
                    self.note(format!("archived {name}"));
                }
                let candidate = Candidate { held: Held::Archived, ..candidate };
                self.known.insert(candidate, self.scan, now);
            }
            (Status::DONE, Aim::Release) => {
                self.done.released_files += 1;
                self.done.released_bytes += candidate.allocated;
                self.note(format!("released {name}"));
            }
            _ => {
                if self.resting.len() >= RESTING {
                    self.resting.clear();
                }
                self.resting.insert(candidate.handle, Instant::now());
                return Some(if outcome.status == Status::NOTHING {
                    Ok(())
                } else {
                    Err(candidate)
                });
            }
        }
        Some(Ok(()))
    }

    fn note(&mut self, what: String) {
        self.done.last = what;
        self.done.last_at = epoch_seconds();
    }

    pub(super) fn standings(&self) -> Standings {
        Standings {
            short: self.is_short(),
            to_archive: self.known.count(Held::HereOnly),
            to_release: self.known.count(Held::Archived),
            under_way: self.open.len(),
            ..self.done.clone()
        }
    }
}
