//! Requests as the options describe them.

use dray_io::Flush;

use crate::permute::Order;
use crate::sizes::Sizes;
use crate::tally::Kind;
use crate::work::{Io, Step, Work};

/// What a phase asks of the targets.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Of 100 requests, so many read.
    pub read_percent: u32,
    pub random: bool,
    /// Each block once before any comes again, where all have one size.
    pub cover: bool,
    pub read_sizes: Sizes,
    pub write_sizes: Sizes,
    /// After so many writes, a flush.
    pub flush: Option<(u64, Flush)>,
    pub fill: Fill,
    pub seed: u64,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Zeros,
    /// Random bytes, of which so many per cent are zeros; new ones for each write if `refill`, else
    /// those of the slot, in which each 512 bytes begin with a number of their own.
    Random {
        zero_percent: u32,
        refill: bool,
    },
}

/// Bytes of a target that a core works on, from and up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: u64,
    pub to: u64,
}

#[derive(Debug)]
struct Aim {
    span: Span,
    /// Of sequential work.
    next: u64,
    order: Option<Order>,
}

/// The requests of one core.
#[derive(Debug)]
pub(crate) struct Source {
    load: Load,
    aims: Vec<Aim>,
    turn: usize,
    rng: fastrand::Rng,
    /// Bytes. Random requests begin at multiples of it.
    unit: u64,
    writes: u64,
    /// Flushes that are still to come, one per target.
    flushes: usize,
}

impl Source {
    /// The share of core `core` of `cores` in `spans`, one per target: of sequential work a part
    /// of each, of random work every so manieth request.
    pub(crate) fn new(load: &Load, spans: &[Span], core: u64, cores: u64) -> Self {
        let seed = load.seed.wrapping_add(core.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let single =
            load.read_sizes.single().filter(|size| load.write_sizes.single() == Some(*size));
        let unit = u64::from(load.read_sizes.least().min(load.write_sizes.least()));
        let aims = spans.iter().enumerate().map(|(index, span)| {
            let blocks = (span.to - span.from) / unit;
            let mut part = *span;
            if !load.random {
                part.from = span.from + blocks * core / cores * unit;
                part.to = span.from + blocks * (core + 1) / cores * unit;
            }
            let order = (load.random && load.cover && single.is_some())
                .then(|| Order::new(blocks, load.seed ^ index as u64, core, cores));
            Aim { span: part, next: part.from, order }
        });
        Self {
            aims: aims.collect(),
            turn: 0,
            rng: fastrand::Rng::with_seed(seed),
            unit,
            writes: 0,
            flushes: 0,
            load: load.clone(),
        }
    }

    fn place(&mut self, target: usize, len: u64) -> u64 {
        let aim = &mut self.aims[target];
        let Span { from, to } = aim.span;
        if !self.load.random {
            let at = if aim.next + len > to { from } else { aim.next };
            aim.next = at + len;
            return at;
        }
        match &mut aim.order {
            Some(order) => from + order.next() * self.unit,
            None => from + self.rng.u64(0..=(to - from - len) / self.unit) * self.unit,
        }
    }
}

impl Work for Source {
    const CHECKS: bool = false;

    #[inline]
    fn next(&mut self) -> Step {
        if let (1.., Some((_, how))) = (self.flushes, self.load.flush) {
            self.flushes -= 1;
            return Step::Start(Io::flush(self.flushes as u16, how));
        }
        let read = match self.load.read_percent {
            100 => true,
            0 => false,
            percent => self.rng.u32(0..100) < percent,
        };
        let (kind, sizes) = match read {
            true => (Kind::Read, &self.load.read_sizes),
            false => (Kind::Write, &self.load.write_sizes),
        };
        let len = sizes.single().unwrap_or_else(|| sizes.pick(self.rng.u32(0..100)));
        let target = self.turn;
        self.turn = if self.turn + 1 == self.aims.len() { 0 } else { self.turn + 1 };
        if kind == Kind::Write {
            self.writes += 1;
            if self.load.flush.is_some_and(|(every, _)| self.writes.is_multiple_of(every)) {
                self.flushes = self.aims.len();
            }
        }
        let at = self.place(target, u64::from(len));
        Step::Start(Io { kind, target: target as u16, at, len, how: Flush::Data })
    }

    fn fill(&mut self, _io: &Io, bytes: &mut [u8]) {
        match self.load.fill {
            Fill::Zeros => {}
            Fill::Random { zero_percent, refill: true } => {
                randomize(bytes, zero_percent, &mut self.rng)
            }
            Fill::Random { .. } => {
                for sector in bytes.chunks_mut(512) {
                    sector[..8].copy_from_slice(&self.rng.u64(..).to_le_bytes());
                }
            }
        }
    }

    fn done(&mut self, _io: &Io, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// Random bytes, of which the last `zero_percent` of each 4 KiB are zeros.
pub(crate) fn randomize(bytes: &mut [u8], zero_percent: u32, rng: &mut fastrand::Rng) {
    for block in bytes.chunks_mut(4096) {
        let zeros = block.len() * zero_percent as usize / 100;
        let (random, zero) = block.split_at_mut(block.len() - zeros);
        rng.fill(random);
        zero.fill(0);
    }
}
