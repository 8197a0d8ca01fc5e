//! Which generation of each block was written, and which one a flush has covered.

/// What is known of a block. Generations count from 1; 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// At least this one must be there.
    pub(crate) covered: u64,
    /// Nothing later can be there.
    pub(crate) submitted: u64,
}

/// Neighbouring blocks of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) target: u16,
    /// Bytes from the start of the target.
    pub(crate) from: u64,
    pub(crate) blocks: Vec<Block>,
}

/// The blocks of one target that one core writes, and what it waits for.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) part: Part,
    busy: Vec<bool>,
    /// Completed since the last flush began.
    since: Vec<(usize, u64)>,
    /// Completed before the flush that is under way began.
    pending: Vec<(usize, u64)>,
    flushing: bool,
}

impl Map {
    pub(crate) fn new(target: u16, from: u64, count: usize) -> Self {
        Self {
            part: Part { target, from, blocks: vec![Block::default(); count] },
            busy: vec![false; count],
            since: Vec::new(),
            pending: Vec::new(),
            flushing: false,
        }
    }

    /// Begins a write, of which each block has one at a time. Gives its generation.
    pub(crate) fn begin(&mut self, block: usize) -> Option<u64> {
        if self.busy[block] {
            return None;
        }
        self.busy[block] = true;
        self.part.blocks[block].submitted += 1;
        Some(self.part.blocks[block].submitted)
    }

    /// A write has completed; `durable` if that says that it cannot be lost.
    pub(crate) fn end(&mut self, block: usize, durable: bool) {
        assert!(self.busy[block], "a write of block {block} was under way");
        self.busy[block] = false;
        let known = &mut self.part.blocks[block];
        if durable {
            known.covered = known.submitted;
        } else {
            self.since.push((block, known.submitted));
        }
    }

    /// Begins a flush, unless one is under way. It covers what has completed by now.
    pub(crate) fn begin_flush(&mut self) -> bool {
        if self.flushing {
            return false;
        }
        self.flushing = true;
        self.pending.append(&mut self.since);
        true
    }

    pub(crate) fn end_flush(&mut self) {
        self.flushing = false;
        for (block, generation) in self.pending.drain(..) {
            let known = &mut self.part.blocks[block];
            known.covered = known.covered.max(generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flush_covers_what_had_completed_when_it_began() {
        let mut map = Map::new(0, 0, 3);
        assert_eq!((map.begin(0), map.begin(0), map.begin(1)), (Some(1), None, Some(1)));
        map.end(0, false);
        assert!(map.begin_flush() && !map.begin_flush());
        map.end(1, false);
        assert_eq!(map.begin(0), Some(2));
        map.end(0, false);
        map.end_flush();
        let known = |map: &Map, block: usize| {
            (map.part.blocks[block].covered, map.part.blocks[block].submitted)
        };
        assert_eq!([known(&map, 0), known(&map, 1), known(&map, 2)], [(1, 2), (0, 1), (0, 0)]);
        assert!(map.begin_flush());
        map.end_flush();
        assert_eq!([known(&map, 0), known(&map, 1)], [(2, 2), (1, 1)]);
    }

    #[test]
    fn a_durable_write_needs_no_flush() {
        let mut map = Map::new(0, 0, 1);
        map.begin(0);
        map.end(0, true);
        assert_eq!(map.part.blocks[0], Block { covered: 1, submitted: 1 });
    }

    proptest! {
        /// Beside a model of a disk that forgets all but what was written before a flush began.
        #[test]
        fn never_more_is_promised_than_a_disk_keeps(
            steps in proptest::collection::vec((0_u8..4, 0_usize..4), 1..200),
        ) {
            let mut map = Map::new(0, 0, 4);
            let (mut written, mut flushing, mut kept) = ([0; 4], None, [0; 4]);
            for (what, block) in steps {
                match what {
                    0 => drop(map.begin(block)),
                    1 if map.busy[block] => {
                        map.end(block, false);
                        written[block] = map.part.blocks[block].submitted;
                    }
                    2 if map.begin_flush() => flushing = Some(written),
                    3 if flushing.is_some() => {
                        map.end_flush();
                        kept = flushing.take().expect("one was under way");
                    }
                    _ => {}
                }
                for block in 0..4 {
                    prop_assert_eq!(map.part.blocks[block].covered, kept[block]);
                    prop_assert!(map.part.blocks[block].submitted >= written[block]);
                }
            }
        }
    }
}
