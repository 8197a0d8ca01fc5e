//! The two halves of a verification as work of a core.

use dray_io::Flush;
use dray_results::Verified;

use crate::permute::Order;
use crate::tally::Kind;
use crate::verify::map::{Block, Map, Part};
use crate::verify::unit::{self, Found, Home};
use crate::work::{Io, Step, Work};

/// What both halves have to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) run: u64,
    /// Bytes per write.
    pub(crate) block: u32,
    /// Bytes per logical block.
    pub(crate) unit: u32,
}

/// Writes blocks again and again, with a flush after so many.
pub(crate) struct Writing {
    pub(crate) frame: Frame,
    /// One per target.
    pub(crate) maps: Vec<Map>,
    /// For random order, of each target.
    pub(crate) orders: Vec<Option<Order>>,
    /// Of sequential order, the next block of each target.
    pub(crate) next: Vec<usize>,
    pub(crate) turn: usize,
    pub(crate) every: u64,
    pub(crate) how: Flush,
    /// Writes are durable when they complete.
    pub(crate) durable: bool,
    pub(crate) writes: u64,
    /// Flushes that are still to begin, one per target.
    pub(crate) flushes: usize,
}

/// Blocks looked at for one that has no write under way.
const TRIES: usize = 16;

impl Writing {
    fn choose(&mut self, target: usize) -> usize {
        if let Some(order) = &mut self.orders[target] {
            return order.next() as usize;
        }
        let block = self.next[target];
        self.next[target] = (block + 1) % self.maps[target].part.blocks.len();
        block
    }

    fn index(&self, io: &Io) -> usize {
        let from = self.maps[io.target as usize].part.from;
        ((io.at - from) / u64::from(self.frame.block)) as usize
    }
}

impl Work for Writing {
    const CHECKS: bool = true;

    fn next(&mut self) -> Step {
        while self.flushes > 0 {
            self.flushes -= 1;
            if self.maps[self.flushes].begin_flush() {
                return Step::Start(Io::flush(self.flushes as u16, self.how));
            }
        }
        let target = self.turn;
        self.turn = (self.turn + 1) % self.maps.len();
        for _ in 0..TRIES {
            let block = self.choose(target);
            if self.maps[target].begin(block).is_none() {
                continue;
            }
            self.writes += 1;
            if !self.durable && self.writes.is_multiple_of(self.every) {
                self.flushes = self.maps.len();
            }
            let at = self.maps[target].part.from + block as u64 * u64::from(self.frame.block);
            let len = self.frame.block;
            return Step::Start(Io {
                kind: Kind::Write,
                target: target as u16,
                at,
                len,
                how: Flush::Data,
            });
        }
        Step::Wait
    }

    fn fill(&mut self, io: &Io, bytes: &mut [u8]) {
        let generation = self.maps[io.target as usize].part.blocks[self.index(io)].submitted;
        let places = (io.at..).step_by(self.frame.unit as usize);
        for (unit, at) in bytes.chunks_mut(self.frame.unit as usize).zip(places) {
            unit::write(unit, self.frame.run, Home { target: io.target, at }, generation);
        }
    }

    fn done(&mut self, io: &Io, _bytes: &[u8]) -> Result<(), String> {
        let block = match io.kind {
            Kind::Flush => None,
            _ => Some(self.index(io)),
        };
        let (map, durable) = (&mut self.maps[io.target as usize], self.durable);
        match block {
            Some(block) => map.end(block, durable),
            None => map.end_flush(),
        }
        Ok(())
    }
}

/// Reads every block that was written, and looks at it.
pub(crate) struct Reading {
    pub(crate) frame: Frame,
    pub(crate) parts: Vec<Part>,
    /// The next block: its part, and which of it.
    pub(crate) next: (usize, usize),
    pub(crate) found: Verified,
    pub(crate) memory: Vec<u8>,
    /// What the targets are called.
    pub(crate) names: Vec<String>,
}

impl Reading {
    pub(crate) fn new(frame: Frame, parts: Vec<Part>, names: Vec<String>) -> Self {
        let memory = vec![0; frame.block as usize];
        Self { frame, parts, next: (0, 0), found: Verified::default(), memory, names }
    }

    fn known(&self, io: &Io) -> Block {
        let size = u64::from(self.frame.block);
        let within = |part: &&Part| {
            let end = part.from + part.blocks.len() as u64 * size;
            part.target == io.target && (part.from..end).contains(&io.at)
        };
        let part = self.parts.iter().find(within).expect("what is read is of a part");
        part.blocks[((io.at - part.from) / size) as usize]
    }
}

impl Work for Reading {
    const CHECKS: bool = true;

    fn next(&mut self) -> Step {
        while let Some(part) = self.parts.get(self.next.0) {
            let index = self.next.1;
            let Some(block) = part.blocks.get(index) else {
                self.next = (self.next.0 + 1, 0);
                continue;
            };
            self.next.1 += 1;
            if block.submitted > 0 {
                let at = part.from + index as u64 * u64::from(self.frame.block);
                let (target, len) = (part.target, self.frame.block);
                return Step::Start(Io { kind: Kind::Read, target, at, len, how: Flush::Data });
            }
        }
        Step::End
    }

    fn fill(&mut self, _io: &Io, _bytes: &mut [u8]) {}

    fn done(&mut self, io: &Io, bytes: &[u8]) -> Result<(), String> {
        let known = self.known(io);
        self.memory.copy_from_slice(bytes);
        self.found.blocks += 1;
        self.found.covered += u64::from(known.covered > 0);
        let places = (io.at..).step_by(self.frame.unit as usize);
        for (unit, at) in self.memory.chunks_mut(self.frame.unit as usize).zip(places) {
            let found = unit::read(unit, self.frame.run, Home { target: io.target, at });
            if let Err(why) = judge(found, known, &self.names) {
                self.found.wrong += 1;
                let name = &self.names[usize::from(io.target)];
                self.found.first_wrong.get_or_insert(format!("at byte {at} of {name}: {why}"));
                break;
            }
        }
        Ok(())
    }
}

/// Whether a logical block may be as it is.
fn judge(found: Found, known: Block, names: &[String]) -> Result<(), String> {
    let Block { covered, submitted } = known;
    let wrong = |what: String| Err(format!("generation {covered} or later must be there; {what}"));
    match found {
        Found::Written(generation) if generation > submitted => {
            Err(format!("generation {generation} is there, but only {submitted} were written"))
        }
        Found::Written(generation) if generation < covered => {
            wrong(format!("generation {generation} is, though a flush has covered a later one"))
        }
        Found::Written(_) => Ok(()),
        Found::Elsewhere(Home { target, at }) => {
            let name = names.get(usize::from(target)).map_or("another target", String::as_str);
            Err(format!("there is what was written to byte {at} of {name}"))
        }
        Found::Other if covered > 0 => wrong("there is nothing of this run, or damaged".into()),
        // Never covered: what was there before may still be.
        Found::Other => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_there() {
        let known = Block { covered: 3, submitted: 5 };
        for generation in 3..=5 {
            assert_eq!(judge(Found::Written(generation), known, &[]), Ok(()));
        }
        let elsewhere = Found::Elsewhere(Home { target: 0, at: 3 });
        for found in [Found::Written(2), Found::Written(6), elsewhere, Found::Other] {
            assert!(judge(found, known, &[]).is_err(), "{found:?}");
        }
        let open = Block { covered: 0, submitted: 1 };
        assert_eq!(judge(Found::Other, open, &[]), Ok(()));
        assert!(judge(elsewhere, open, &[]).is_err());
    }
}
