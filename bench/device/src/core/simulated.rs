//! A device and a clock of a test: time passes only when somebody waits or looks.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use dray_io::{Completion, Fixed, Flush, PacedRing, Ring, RingCounters, Slot};

use crate::clock::Clock;

/// ns that a look at the clock takes.
const LOOK: u64 = 200;

#[derive(Clone, Default)]
pub(super) struct SimClock(Rc<Cell<u64>>);

impl Clock for SimClock {
    fn now(&self) -> u64 {
        self.0.set(self.0.get() + LOOK);
        self.0.get()
    }

    fn sleep(&self, ns: u64) {
        self.0.set(self.0.get() + ns);
    }
}

/// Serves so many requests at once, each in the same time.
pub(super) struct SimDevice {
    clock: SimClock,
    slots: u32,
    slot_bytes: u32,
    memory: Vec<u8>,
    /// ns.
    pub(super) service: u64,
    /// When each server is free again.
    pub(super) servers: Vec<u64>,
    /// Nothing completes from the first until the second.
    pub(super) stall: (u64, u64),
    /// A request at this place fails.
    pub(super) broken: Option<u64>,
    /// Requests at this place move so many bytes.
    pub(super) short: Option<(u64, u32)>,
    queued: Vec<(Slot, i64)>,
    under_way: BTreeSet<(u64, u32, i64)>,
    pub(super) most_under_way: usize,
    counters: RingCounters,
}

impl SimDevice {
    pub(super) fn new(clock: &SimClock, slots: u32, width: usize, service: u64) -> Self {
        Self {
            clock: clock.clone(),
            slots,
            slot_bytes: 4096,
            memory: vec![0; slots as usize * 4096],
            service,
            servers: vec![0; width],
            stall: (0, 0),
            broken: None,
            short: None,
            queued: Vec::new(),
            under_way: BTreeSet::new(),
            most_under_way: 0,
            counters: RingCounters::default(),
        }
    }

    fn queue(&mut self, at: u64, slot: Slot, len: u32) {
        let result = match (self.broken, self.short) {
            (Some(place), _) if place == at => -5,
            (_, Some((place, moved))) if place == at => i64::from(moved),
            _ => i64::from(len),
        };
        self.queued.push((slot, result));
    }

    fn enter(&mut self) {
        self.counters.enters += 1;
        let now = self.clock.0.get();
        for (slot, result) in self.queued.drain(..) {
            let free = self.servers.iter_mut().min().expect("a device serves");
            let mut end = now.max(*free) + self.service;
            if (self.stall.0..self.stall.1).contains(&end) {
                end = self.stall.1 + self.service;
            }
            *free = end;
            self.under_way.insert((end, slot.0, result));
        }
        self.most_under_way = self.most_under_way.max(self.under_way.len());
    }

    fn bounds(&self, slot: Slot) -> std::ops::Range<usize> {
        let start = slot.0 as usize * self.slot_bytes as usize;
        start..start + self.slot_bytes as usize
    }
}

impl Ring for SimDevice {
    type File = ();

    fn slots(&self) -> u32 {
        self.slots
    }

    fn slot_bytes(&self) -> u32 {
        self.slot_bytes
    }

    fn attach(&mut self, (): &()) -> io::Result<Fixed> {
        Ok(Fixed(0))
    }

    fn detach(&mut self, _file: Fixed) {}

    fn read(&mut self, _file: Fixed, at: u64, slot: Slot, _from: u32, len: u32) {
        self.counters.reads += 1;
        self.queue(at, slot, len);
    }

    fn write(&mut self, _file: Fixed, at: u64, slot: Slot, _from: u32, len: u32) {
        self.counters.writes += 1;
        self.queue(at, slot, len);
    }

    fn submit(&mut self) -> io::Result<()> {
        self.enter();
        Ok(())
    }

    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        self.wait_for(1, None, done)
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        &self.memory[self.bounds(slot)]
    }

    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        let bounds = self.bounds(slot);
        &mut self.memory[bounds]
    }

    fn counters(&self) -> RingCounters {
        self.counters
    }
}

impl PacedRing for SimDevice {
    fn flush(&mut self, _file: Fixed, slot: Slot, _how: Flush) {
        self.counters.flushes += 1;
        self.queue(u64::MAX, slot, 0);
    }

    fn wait_for(
        &mut self,
        want: u32,
        limit: Option<Duration>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        self.enter();
        let now = self.clock.0.get();
        let want = (want as usize).min(self.under_way.len());
        let enough = match want {
            0 => now,
            _ => self.under_way.iter().nth(want - 1).expect("so many are under way").0,
        };
        let limit = limit.map_or(u64::MAX, |limit| now + limit.as_nanos() as u64);
        self.clock.0.set(now.max(enough.min(limit)));
        let now = self.clock.0.get();
        while self.under_way.first().is_some_and(|first| first.0 <= now) {
            let (_, slot, result) = self.under_way.pop_first().expect("it was there");
            let result = match u32::try_from(result) {
                Ok(moved) => Ok(moved),
                Err(_) => Err(io::Error::from_raw_os_error(-result as i32)),
            };
            done.push(Completion { slot: Slot(slot), result });
        }
        Ok(())
    }
}
