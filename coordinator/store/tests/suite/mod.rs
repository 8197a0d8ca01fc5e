//! What every store has to do, as properties against a model.

use std::collections::BTreeMap;

use dray_store::{Block, Error, Store};
use proptest::prelude::*;

/// Where a store is, whatever happens to the process that has it open.
pub(crate) trait Place {
    fn open(&mut self) -> Box<dyn Store>;
    /// Ends it without any of what a store does at its end.
    fn crash(&mut self, store: Box<dyn Store>);
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Blocks of these sizes, and how many of the oldest to drop.
    Commit(Vec<usize>, u64),
    /// The last commit once more.
    Repeat,
    Reopen,
    Crash,
    Load,
}

pub(crate) fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop::collection::vec(prop_oneof![0..200_usize, 0..20_000_usize], 0..5);
    let step = prop_oneof![
        8 => (sizes, 0..6_u64).prop_map(|(sizes, drop)| Step::Commit(sizes, drop)),
        2 => Just(Step::Repeat),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => Just(Step::Load),
    ];
    prop::collection::vec(step, 1..count)
}

/// What has to be kept.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) blocks: BTreeMap<u64, Vec<u8>>,
    next: u64,
    last: (Vec<Block>, u64),
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { next: 1, ..Self::default() }
    }

    /// The next blocks, some of which get smaller by packing.
    pub(crate) fn blocks(&self, sizes: &[usize]) -> Vec<Block> {
        let numbers = self.next..;
        numbers
            .zip(sizes)
            .map(|(number, size)| Block { number, bytes: bytes(number, *size) })
            .collect()
    }

    pub(crate) fn took(&mut self, blocks: &[Block], keep_from: u64) {
        for block in blocks {
            self.blocks.insert(block.number, block.bytes.clone());
            self.next = self.next.max(block.number + 1);
        }
        self.blocks.retain(|number, _| *number >= keep_from);
        self.last = (blocks.to_vec(), keep_from);
    }

    fn first(&self) -> u64 {
        self.blocks.keys().next().copied().unwrap_or(self.next)
    }

    pub(crate) fn check(&self, store: &mut dyn Store) {
        let mut found = Vec::new();
        store
            .load(&mut |number, bytes| {
                found.push((number, bytes.to_vec()));
                Ok(())
            })
            .unwrap();
        let numbers =
            |it: &[(u64, Vec<u8>)]| it.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        let expected: Vec<(u64, Vec<u8>)> = self.blocks.clone().into_iter().collect();
        assert_eq!(numbers(&found), numbers(&expected));
        assert!(found == expected, "the bytes differ");
        if let Some((number, bytes)) = self.blocks.first_key_value() {
            assert_eq!(&store.read(*number).unwrap(), bytes);
            let gone = store.read(number - 1);
            assert!(matches!(gone, Err(Error::Missing { .. })), "{gone:?}");
        }
    }
}

pub(crate) fn bytes(number: u64, size: usize) -> Vec<u8> {
    let noisy = number.is_multiple_of(2);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if noisy { (state >> 32) as u8 } else { number as u8 }
        })
        .collect()
}

pub(crate) fn run(place: &mut dyn Place, steps: &[Step]) {
    let mut model = Model::new();
    let mut store = place.open();
    for step in steps {
        match step {
            Step::Commit(sizes, drop) => {
                let blocks = model.blocks(sizes);
                let keep_from = (model.first() + drop).min(model.next + blocks.len() as u64);
                store.commit(&blocks, keep_from).unwrap();
                model.took(&blocks, keep_from);
            }
            Step::Repeat => {
                let (blocks, keep_from) = model.last.clone();
                store.commit(&blocks, keep_from).unwrap();
            }
            Step::Reopen => {
                drop(store);
                store = place.open();
                model.check(&mut *store);
            }
            Step::Crash => {
                place.crash(store);
                store = place.open();
                model.check(&mut *store);
            }
            Step::Load => model.check(&mut *store),
        }
    }
    model.check(&mut *store);
    drop(store);
    model.check(&mut *place.open());
}

/// A commit that leaves a gap is refused and changes nothing; what `load` is told of a block it
/// passes on.
pub(crate) fn refusals(place: &mut dyn Place) {
    let mut model = Model::new();
    let mut store = place.open();
    let blocks = model.blocks(&[10, 20, 30]);
    store.commit(&blocks, 1).unwrap();
    model.took(&blocks, 1);
    let gap = [Block { number: 5, bytes: vec![] }];
    assert!(matches!(store.commit(&gap, 1), Err(Error::Order { expected: 4, found: 5 })));
    assert!(matches!(store.commit(&[], 5), Err(Error::Order { .. })));
    let long = [Block { number: 4, bytes: vec![0; dray_store::limits::BLOCK_BYTES + 1] }];
    assert!(matches!(store.commit(&long, 1), Err(Error::TooLarge { number: 4, .. })));
    model.check(&mut *store);
    let error = store.load(&mut |number, _| {
        if number == 2 { Err("no such kind".into()) } else { Ok(()) }
    });
    assert!(matches!(error, Err(Error::Content { number: 2, .. })));
    let most = [Block { number: 4, bytes: bytes(4, dray_store::limits::BLOCK_BYTES) }];
    store.commit(&most, 2).unwrap();
    model.took(&most, 2);
    model.check(&mut *store);
}
