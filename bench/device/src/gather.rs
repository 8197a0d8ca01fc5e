//! The main thread of a phase: it lets the cores go, and takes what they tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use dray_results::Interval;
use dray_ring::worker_runs;

use crate::clock::{Clock, Monotonic};
use crate::convert;
use crate::core::{Outcome, Shape};
use crate::error::Error;
use crate::phase::{Line, Measured, Stage, Told};
use crate::tally::Tally;
use crate::usage::{Switches, Usage};

/// ns. Time for all cores to reach the start together.
const GATHER: u64 = 2_000_000;

/// How often interrupts and workers are looked at.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) struct Gathering<'a> {
    pub(crate) stage: &'a Stage<'a>,
    pub(crate) shape: &'a Shape,
    pub(crate) clock: Monotonic,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) told: Receiver<Told>,
    pub(crate) lines: Vec<Line>,
    /// By interval, what some cores have told so far, and how many of them.
    pub(crate) incomplete: BTreeMap<u64, (Box<Tally>, usize)>,
    /// Which core got an empty tally last.
    pub(crate) turn: usize,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) total: Tally,
    pub(crate) workers: u64,
    pub(crate) interrupted: bool,
}

impl Gathering<'_> {
    pub(crate) fn run(mut self) -> Result<Measured, Error> {
        let notice = self.ready()?;
        let started = SystemTime::now() + Duration::from_nanos(self.shape.ramp);
        let start = self.clock.now() + GATHER;
        for line in &self.lines {
            let _ = line.go.send(start);
        }
        let counted = start + self.shape.ramp;
        let (outcomes, switches, usage) = self.listen(counted)?;
        while let Some((interval, (tally, _))) = self.incomplete.pop_first() {
            self.complete(interval, tally);
        }
        let end = outcomes.iter().map(|outcome| outcome.end).max().unwrap_or(counted);
        let runtime = end.saturating_sub(counted);
        if let Some(last) = self.intervals.last_mut() {
            last.length = Duration::from_nanos(runtime).saturating_sub(last.start);
        }
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum();
        Ok(Measured {
            started,
            runtime,
            intervals: self.intervals,
            total: self.total,
            usage,
            switches,
            workers: self.workers,
            enters: sum(|it| it.enters),
            dropped: sum(|it| it.dropped),
            left: sum(|it| it.left),
            failure: outcomes.into_iter().find_map(|outcome| outcome.failure),
            interrupted: self.interrupted,
            notice,
        })
    }

    /// All cores are, or none begins.
    fn ready(&mut self) -> Result<Option<String>, Error> {
        let mut notice = None;
        for _ in 0..self.lines.len() {
            match self.told.recv() {
                Ok(Told::Ready(said)) => notice = notice.or(said),
                Ok(Told::Failed(core, source)) => {
                    self.lines.clear();
                    return Err(Error::Core { core, source });
                }
                _ => unreachable!("a core is ready or not before it does anything"),
            }
        }
        Ok(notice)
    }

    /// Until all cores are done.
    fn listen(&mut self, counted: u64) -> Result<(Vec<Outcome>, Switches, Usage), Error> {
        let (mut outcomes, mut switches) = (Vec::new(), Switches::default());
        let mut before = None;
        let mut looked = Instant::now();
        while outcomes.len() < self.lines.len() {
            let now = self.clock.now();
            if before.is_none() && now >= counted {
                before = Some(Usage::now());
            }
            let patience = match before {
                None => Duration::from_nanos((counted - now).min(LOOK.as_nanos() as u64)),
                Some(_) => LOOK,
            };
            match self.told.recv_timeout(patience) {
                Ok(Told::Interval(interval, tally)) => self.take(interval, tally),
                Ok(Told::Done(outcome, switched)) => {
                    outcomes.push(outcome);
                    switches.add(switched);
                }
                Ok(Told::Failed(core, source)) => return Err(Error::Core { core, source }),
                Ok(Told::Ready(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look();
            }
        }
        Ok((outcomes, switches, Usage::now().since(before.unwrap_or_else(Usage::now))))
    }

    fn look(&mut self) {
        self.workers = self.workers.max(worker_runs().threads);
        if (self.stage.interrupted)() {
            self.interrupted = true;
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn take(&mut self, interval: u64, tally: Box<Tally>) {
        let (sum, told) = match self.incomplete.remove(&interval) {
            None => (tally, 1),
            Some((mut sum, told)) => {
                sum.add(&tally);
                self.reuse(tally);
                (sum, told + 1)
            }
        };
        if told == self.lines.len() {
            self.complete(interval, sum);
        } else {
            self.incomplete.insert(interval, (sum, told));
        }
    }

    fn complete(&mut self, interval: u64, tally: Box<Tally>) {
        self.total.add(&tally);
        self.intervals.push(convert::interval(interval, &tally));
        self.reuse(tally);
    }

    /// Whichever core comes first takes it.
    fn reuse(&mut self, mut tally: Box<Tally>) {
        tally.clear();
        self.turn = (self.turn + 1) % self.lines.len();
        let _ = self.lines[self.turn].spare.send(tally);
    }
}
