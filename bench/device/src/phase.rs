//! One phase: all cores at work on all targets for a while.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use dray_io::{Fixed, Ring, Slot};
use dray_ring::{CoreRing, RingChoice, RingSetup, worker_runs};

use crate::clock::{Clock, Monotonic};
use crate::core::{Core, Outcome, Shape};
use crate::error::{Cause, Error, IoFailure};
use crate::source::randomize;
use crate::tally::Tally;
use crate::target::Target;
use crate::usage::{Switches, Usage, switches};
use crate::work::Work;

/// ns. Time for all cores to reach the start together.
const GATHER: u64 = 2_000_000;

/// How often the main thread looks at interrupts and workers.
const LOOK: Duration = Duration::from_millis(100);

/// What is told while a phase runs: the number of the second, and what happened in it.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, &Tally);

/// What a phase needs beside its work.
pub(crate) struct Stage<'a> {
    pub targets: &'a [Target],
    /// CPUs, one core each.
    pub cpus: &'a [usize],
    pub ring: RingChoice,
    /// Bytes of the largest request.
    pub slot_bytes: u32,
    /// What the memory holds before the first write: random bytes, so many per cent zeros.
    pub zero_percent: u32,
    pub seed: u64,
    /// Whether somebody asked to end.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// What a phase gives.
#[derive(Debug)]
pub struct Measured {
    pub started: SystemTime,
    /// ns that were counted.
    pub runtime: u64,
    /// One per second.
    pub intervals: Vec<Tally>,
    pub total: Tally,
    pub usage: Usage,
    pub switches: Switches,
    /// Most threads of the kernel seen that did what it could not do at once.
    pub workers: u64,
    pub enters: u64,
    pub dropped: u64,
    pub left: u64,
    pub failure: Option<IoFailure>,
    pub interrupted: bool,
    pub notice: Option<String>,
}

enum Told {
    Ready(Option<String>),
    Interval(u64, Box<Tally>),
    Done(Outcome, Switches),
    Failed(usize, io::Error),
}

/// Runs `works`, one per core, in the manner of `shape`.
pub(crate) fn run<W: Work + Send>(
    stage: &Stage<'_>,
    shape: &Shape,
    works: Vec<W>,
    progress: Progress<'_>,
) -> Result<Measured, Error> {
    let clock = Monotonic::start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let mut lines = Vec::new();
        for (index, work) in works.into_iter().enumerate() {
            let (go, start) = mpsc::channel();
            let (spare, spares) = mpsc::channel();
            lines.push(Line { go, spare });
            let (tell, stop) = (tell.clone(), &stop);
            let shape = Shape { seed: shape.seed.wrapping_add(index as u64), ..shape.clone() };
            scope.spawn(move || {
                let thread = Thread { index, stage, shape: &shape, clock, stop, tell: &tell };
                if let Err(error) = thread.run(work, &start, &spares) {
                    stop.store(true, Ordering::Relaxed);
                    let _ = tell.send(Told::Failed(index, error));
                }
            });
        }
        drop(tell);
        let gathering = Gathering {
            stage,
            shape,
            clock,
            stop: &stop,
            told,
            lines,
            tallies: BTreeMap::new(),
            turn: 0,
        };
        gathering.run(progress)
    })
}

struct Line {
    /// The start, in ns of the clock.
    go: Sender<u64>,
    /// Tallies to be used again.
    spare: Sender<Box<Tally>>,
}

struct Thread<'a> {
    index: usize,
    stage: &'a Stage<'a>,
    shape: &'a Shape,
    clock: Monotonic,
    stop: &'a AtomicBool,
    tell: &'a Sender<Told>,
}

impl Thread<'_> {
    fn run<W: Work>(
        &self,
        mut work: W,
        start: &Receiver<u64>,
        spares: &Receiver<Box<Tally>>,
    ) -> io::Result<()> {
        let (stage, open) = (self.stage, self.shape.pace.rate().is_some());
        affinity::set_thread_affinity([stage.cpus[self.index]])
            .map_err(|error| io::Error::other(error.to_string()))?;
        if open {
            // Timers of a thread may otherwise be 50 us late.
            let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        }
        let setup = RingSetup {
            choice: stage.ring,
            slots: self.shape.depth,
            slot_bytes: stage.slot_bytes.next_multiple_of(4096),
        };
        let (mut ring, notice) = CoreRing::new(&setup)?;
        let files = self.attach(&mut ring)?;
        let mut rng = fastrand::Rng::with_seed(stage.seed ^ self.index as u64);
        for slot in 0..self.shape.depth {
            randomize(ring.bytes_mut(Slot(slot)), stage.zero_percent, &mut rng);
        }
        let _ = self.tell.send(Told::Ready(notice));
        // Nobody says when, if another core could not be made ready.
        let Ok(at) = start.recv() else { return Ok(()) };
        let mut sink = |interval, tally: &mut Box<Tally>| {
            let spare = spares.try_recv().unwrap_or_else(|_| Box::new(Tally::new(open)));
            let full = std::mem::replace(tally, spare);
            let _ = self.tell.send(Told::Interval(interval, full));
        };
        while self.clock.now() < at {
            std::hint::spin_loop();
        }
        let before = switches();
        let core = Core {
            ring: &mut ring,
            clock: &self.clock,
            work: &mut work,
            files: &files,
            shape: self.shape,
            stop: self.stop,
            sink: &mut sink,
        };
        let outcome = core.run(at).map_err(|cause| match cause {
            Cause::Ring(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
        let _ = self.tell.send(Told::Done(outcome, switches().since(before)));
        Ok(())
    }

    fn attach(&self, ring: &mut CoreRing<std::fs::File>) -> io::Result<Vec<Fixed>> {
        self.stage.targets.iter().map(|target| ring.attach(&target.file)).collect()
    }
}

struct Gathering<'a> {
    stage: &'a Stage<'a>,
    shape: &'a Shape,
    clock: Monotonic,
    stop: &'a AtomicBool,
    told: Receiver<Told>,
    lines: Vec<Line>,
    /// By interval, what cores have told so far, and how many of them.
    tallies: BTreeMap<u64, (Box<Tally>, usize)>,
    /// Which core got a tally last.
    turn: usize,
}

impl Gathering<'_> {
    fn run(mut self, progress: Progress<'_>) -> Result<Measured, Error> {
        let cores = self.lines.len();
        let mut notice = None;
        for _ in 0..cores {
            match self.told.recv() {
                Ok(Told::Ready(said)) => notice = notice.or(said),
                Ok(Told::Failed(core, source)) => {
                    self.lines.clear();
                    return Err(Error::Core { core, source });
                }
                _ => unreachable!("a core is ready or not before it does anything"),
            }
        }
        let started = SystemTime::now();
        let start = self.clock.now() + GATHER;
        for line in &self.lines {
            let _ = line.go.send(start);
        }
        let counted = start + self.shape.ramp;
        let mut usage = None;
        let (mut outcomes, mut passed) = (Vec::new(), Switches::default());
        let (mut workers, mut interrupted) = (0, false);
        let mut looked = Instant::now();
        while outcomes.len() < cores {
            let now = self.clock.now();
            if usage.is_none() && now >= counted {
                usage = Some(Usage::now());
            }
            let patience = match usage {
                None => Duration::from_nanos((counted - now).min(LOOK.as_nanos() as u64)),
                Some(_) => LOOK,
            };
            match self.told.recv_timeout(patience) {
                Ok(Told::Interval(interval, tally)) => self.take(interval, tally, progress),
                Ok(Told::Done(outcome, switched)) => {
                    outcomes.push(outcome);
                    passed.add(switched);
                }
                Ok(Told::Failed(core, source)) => return Err(Error::Core { core, source }),
                Ok(Told::Ready(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                workers = workers.max(worker_runs().threads);
                if (self.stage.interrupted)() {
                    interrupted = true;
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
        }
        let usage = Usage::now().since(usage.unwrap_or_else(Usage::now));
        let mut total = Tally::new(self.shape.pace.rate().is_some());
        let intervals: Vec<Tally> = self.tallies.into_values().map(|(tally, _)| *tally).collect();
        intervals.iter().for_each(|tally| total.add(tally));
        let end = outcomes.iter().map(|outcome| outcome.end).max().unwrap_or(counted);
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum();
        Ok(Measured {
            started,
            runtime: end.saturating_sub(counted),
            intervals,
            total,
            usage,
            switches: passed,
            workers,
            enters: sum(|it| it.enters),
            dropped: sum(|it| it.dropped),
            left: sum(|it| it.left),
            failure: outcomes.into_iter().find_map(|outcome| outcome.failure),
            interrupted,
            notice,
        })
    }

    fn take(&mut self, interval: u64, tally: Box<Tally>, progress: Progress<'_>) {
        let cores = self.lines.len();
        let told = match self.tallies.get_mut(&interval) {
            None => {
                self.tallies.insert(interval, (tally, 1));
                1
            }
            Some((sum, told)) => {
                sum.add(&tally);
                *told += 1;
                let told = *told;
                self.reuse(tally);
                told
            }
        };
        if told == cores
            && let Some((sum, _)) = self.tallies.get(&interval)
        {
            progress(interval, sum);
        }
    }

    /// Whichever core comes first takes it.
    fn reuse(&mut self, mut tally: Box<Tally>) {
        tally.clear();
        self.turn = (self.turn + 1) % self.lines.len();
        let _ = self.lines[self.turn].spare.send(tally);
    }
}
