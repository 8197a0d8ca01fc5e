//! The loop of one core: keeps requests under way and counts what becomes of them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dray_io::{Completion, Fixed, PacedRing, Slot};

use crate::clock::Clock;
use crate::error::{Cause, Failed};
use crate::pace::{Arrivals, Pace};
use crate::tally::{Kind, Tally};
use crate::work::{Io, Step, Work};

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

/// ns per interval of the results.
pub(crate) const INTERVAL: u64 = 1_000_000_000;

/// ns. Whoever waits looks so often whether he is to stop.
const LOOK: u64 = 100_000_000;

/// ns. Until an arrival that is nearer than this the core looks again and again instead of
/// sleeping: waking up takes about as long.
const SPIN: u64 = 20_000;

/// How a core goes about its work.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Requests under way at most.
    pub depth: u32,
    /// Requests submitted at once at most.
    pub submit: u32,
    /// Completions waited for when no more can be submitted.
    pub complete_min: u32,
    pub pace: Pace,
    /// ns before anything is counted.
    pub ramp: u64,
    /// ns counted; without, until the work ends.
    pub time: Option<u64>,
    /// Requests started at most, flushes apart.
    pub ios: Option<u64>,
    /// Bytes asked for at most.
    pub bytes: Option<u64>,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    io: Io,
    intended: u64,
    submitted: u64,
}

/// What one core did, beside its tallies.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// ns of the clock at which the last counted request ended.
    pub end: u64,
    /// Calls into the kernel during what is counted.
    pub enters: u64,
    /// Arrivals for which there was no room.
    pub dropped: u64,
    /// Arrivals that still waited when the time was over.
    pub left: u64,
    pub failure: Option<Failed>,
}

/// Takes the tally of an interval, by number, and leaves an empty one.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(u64, &mut Box<Tally>);

/// One core at work.
pub(crate) struct Core<'a, R, C, W> {
    pub ring: &'a mut R,
    pub clock: &'a C,
    pub work: &'a mut W,
    /// The targets, attached to the ring.
    pub files: &'a [Fixed],
    pub shape: &'a Shape,
    /// Set from outside, or by a core that failed: all end.
    pub stop: &'a AtomicBool,
    pub sink: Sink<'a>,
}

impl<R: PacedRing, C: Clock, W: Work> Core<'_, R, C, W> {
    /// Works from `start` of the clock until time or work is over, and nothing is under way.
    pub(crate) fn run(self, start: u64) -> Result<Outcome, Cause> {
        let shape = self.shape;
        let counted = start + shape.ramp;
        let nothing =
            UnderWay { io: Io::flush(0, dray_io::Flush::Data), intended: 0, submitted: 0 };
        let open = shape.pace != Pace::Closed;
        let mut turns = Turns {
            counted,
            deadline: shape.time.map_or(u64::MAX, |time| counted + time),
            tick: counted + INTERVAL,
            interval: 0,
            free: (0..shape.depth).rev().collect(),
            under_way: vec![nothing; shape.depth as usize],
            fresh: Vec::with_capacity(shape.depth as usize),
            submitting: false,
            arrivals: Arrivals::new(shape.pace, start, shape.seed),
            open,
            tally: Box::new(Tally::new(open)),
            ios_left: shape.ios.unwrap_or(u64::MAX),
            bytes_left: shape.bytes.unwrap_or(u64::MAX),
            ended: false,
            enters_before: None,
            outcome: Outcome { end: counted, ..Outcome::default() },
            core: self,
        };
        turns.run()
    }
}

struct Turns<'a, R, C, W> {
    core: Core<'a, R, C, W>,
    /// When counting begins.
    counted: u64,
    deadline: u64,
    /// End of the interval.
    tick: u64,
    interval: u64,
    free: Vec<u32>,
    under_way: Vec<UnderWay>,
    /// Slots queued in this turn.
    fresh: Vec<u32>,
    submitting: bool,
    arrivals: Arrivals,
    open: bool,
    tally: Box<Tally>,
    ios_left: u64,
    bytes_left: u64,
    /// Nothing new is started.
    ended: bool,
    enters_before: Option<u64>,
    outcome: Outcome,
}

impl<R: PacedRing, C: Clock, W: Work> Turns<'_, R, C, W> {
    fn run(&mut self) -> Result<Outcome, Cause> {
        let mut done = Vec::with_capacity(self.under_way.len());
        let mut now = self.core.clock.now();
        loop {
            self.look_at(now);
            self.start(now);
            let idle = self.free.len() == self.under_way.len();
            if idle && self.ended {
                break;
            }
            now = self.core.clock.now();
            self.submitting = !self.fresh.is_empty();
            for slot in self.fresh.drain(..) {
                let request = &mut self.under_way[slot as usize];
                request.submitted = now;
                if !self.open {
                    request.intended = now;
                }
            }
            if idle {
                let gap = self.arrivals.next().min(self.deadline).saturating_sub(now);
                if gap > SPIN {
                    self.core.clock.sleep((gap - SPIN).min(LOOK));
                }
            } else {
                self.wait(now, &mut done).map_err(Cause::Ring)?;
            }
            now = self.core.clock.now();
            for completion in done.drain(..) {
                self.finish(completion, now);
            }
        }
        (self.core.sink)(self.interval, &mut self.tally);
        let enters = self.core.ring.counters().enters;
        self.outcome.enters = enters - self.enters_before.unwrap_or(enters);
        self.outcome.dropped = self.arrivals.dropped;
        self.outcome.left = self.arrivals.waiting() as u64;
        Ok(std::mem::take(&mut self.outcome))
    }

    /// What depends on the time alone.
    fn look_at(&mut self, now: u64) {
        if now >= self.counted && self.enters_before.is_none() {
            self.enters_before = Some(self.core.ring.counters().enters);
        }
        while now >= self.tick && self.tick < self.deadline {
            (self.core.sink)(self.interval, &mut self.tally);
            self.interval += 1;
            self.tick += INTERVAL;
        }
        if self.open && !self.ended {
            // Also what came while the core waited for the device past its time.
            self.arrivals.advance(now.min(self.deadline));
        }
        if now >= self.deadline && !self.ended {
            self.ended = true;
            self.outcome.end = self.deadline;
        }
        self.ended |= self.core.stop.load(Ordering::Relaxed);
    }

    /// Queues as many requests as may be submitted at once.
    fn start(&mut self, now: u64) {
        let most = self.core.shape.submit.min(self.free.len() as u32);
        for _ in 0..most {
            if self.ended || self.ios_left == 0 || self.bytes_left == 0 {
                self.ended = true;
                break;
            }
            if self.open && self.arrivals.waiting() == 0 {
                break;
            }
            match self.core.work.next() {
                Step::Start(io) => self.queue(io, now),
                Step::Wait => break,
                Step::End => self.ended = true,
            }
        }
    }

    fn queue(&mut self, io: Io, now: u64) {
        let index = self.free.pop().expect("no more are started than slots are free");
        let (slot, file) = (Slot(index), self.core.files[io.target as usize]);
        let ring = &mut *self.core.ring;
        let mut intended = now;
        match io.kind {
            Kind::Read => ring.read(file, io.at, slot, 0, io.len),
            Kind::Write => {
                self.core.work.fill(&io, &mut ring.bytes_mut(slot)[..io.len as usize]);
                ring.write(file, io.at, slot, 0, io.len);
            }
            Kind::Flush => ring.flush(file, slot, io.how),
        }
        if io.kind != Kind::Flush {
            self.ios_left -= 1;
            self.bytes_left = self.bytes_left.saturating_sub(u64::from(io.len));
            if self.open {
                intended = self.arrivals.take().expect("one was waiting");
            }
        }
        self.under_way[index as usize] = UnderWay { io, intended, submitted: now };
        self.fresh.push(index);
    }

    /// Submits, and waits as long as there is nothing better to do.
    fn wait(&mut self, now: u64, done: &mut Vec<Completion>) -> io::Result<()> {
        let shape = self.core.shape;
        let full = self.free.is_empty() || self.ended;
        if !self.open {
            // More may be started at once; a flush that others wait for is not hurried.
            if !full && self.submitting {
                return self.core.ring.submit();
            }
            return self.core.ring.wait_for(shape.complete_min, None, done);
        }
        if full {
            return self.core.ring.wait_for(1, None, done);
        }
        let gap = self.arrivals.next().min(self.deadline).saturating_sub(now).min(LOOK);
        let want = u32::from(gap > SPIN && self.arrivals.waiting() == 0);
        self.core.ring.wait_for(want, Some(Duration::from_nanos(gap)), done)
    }

    fn finish(&mut self, completion: Completion, now: u64) {
        let Completion { slot, result } = completion;
        let UnderWay { io, intended, submitted } = self.under_way[slot.0 as usize];
        self.free.push(slot.0);
        let moved = match result {
            Ok(moved) => moved,
            Err(error) => return self.fail(&io, Cause::Kernel(error), now),
        };
        if moved < io.len {
            if moved == 0 {
                return self.fail(&io, Cause::End, now);
            }
            if now >= self.counted {
                self.tally.side(io.kind).short += 1;
            }
        } else if W::CHECKS {
            let bytes = &self.core.ring.bytes(slot)[..io.len as usize];
            if let Err(wrong) = self.core.work.done(&io, bytes) {
                return self.fail(&io, Cause::Damage(wrong), now);
            }
        }
        if now >= self.counted {
            self.tally.record(io.kind, moved, now - submitted, now.saturating_sub(intended));
            self.outcome.end = now.max(self.outcome.end);
        }
    }

    /// The first failure is kept; it ends the work of all cores.
    fn fail(&mut self, io: &Io, cause: Cause, now: u64) {
        self.tally.side(io.kind).errors += 1;
        self.ended = true;
        self.core.stop.store(true, Ordering::Relaxed);
        if self.outcome.failure.is_none() {
            let after = now.saturating_sub(self.counted);
            self.outcome.failure = Some(Failed { io: *io, cause, after });
        }
    }
}
