//! One phase: all cores at work on all targets for a while.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::SystemTime;

use dray_io::{Fixed, Ring, Slot};
use dray_results::Interval;
use dray_ring::{CoreRing, RingChoice, RingSetup};

use crate::clock::{Clock, Monotonic};
use crate::core::{Core, Outcome, Shape};
use crate::error::{Cause, Error, Failed};
use crate::gather::Gathering;
use crate::source::randomize;
use crate::tally::Tally;
use crate::target::Target;
use crate::usage::{Switches, Usage, switches};
use crate::work::Work;

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
pub(crate) struct Measured {
    pub started: SystemTime,
    /// ns that were counted.
    pub runtime: u64,
    /// One per second.
    pub intervals: Vec<Interval>,
    pub total: Tally,
    pub usage: Usage,
    pub switches: Switches,
    /// Most threads of the kernel seen that did what it could not do at once.
    pub workers: u64,
    pub enters: u64,
    pub dropped: u64,
    pub left: u64,
    pub failure: Option<Failed>,
    pub interrupted: bool,
    pub notice: Option<String>,
}

pub(crate) enum Told {
    Ready(Option<String>),
    Interval(u64, Box<Tally>),
    Done(Outcome, Switches),
    Failed(usize, io::Error),
}

/// Runs `works`, one per core, in the manner of `shape`.
pub(crate) fn run<W: Work + Send>(
    stage: &Stage<'_>,
    shape: &Shape,
    works: &mut [W],
) -> Result<Measured, Error> {
    let clock = Monotonic::start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let mut lines = Vec::new();
        for (index, work) in works.iter_mut().enumerate() {
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
            incomplete: BTreeMap::new(),
            turn: 0,
            intervals: Vec::new(),
            total: Tally::new(shape.pace.rate().is_some()),
            workers: 0,
            interrupted: false,
        };
        gathering.run()
    })
}

pub(crate) struct Line {
    /// The start, in ns of the clock.
    pub(crate) go: Sender<u64>,
    /// Tallies to be used again.
    pub(crate) spare: Sender<Box<Tally>>,
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
        work: &mut W,
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
            work,
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
