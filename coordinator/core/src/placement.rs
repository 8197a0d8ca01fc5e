//! Which node and which core moves what: by where the data is, so that neighbours meet.
//!
//! Rendezvous hashing: every node has a score for every region, and the highest takes it. A node
//! that joins or leaves moves only the regions that it wins or loses. A node that is loaded beyond
//! 5/4 of the mean is passed over.

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use crate::limits::{LOAD_DENOMINATOR, LOAD_NUMERATOR, REGION_BYTES};

/// A stretch of a LUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    pub lun: u64,
    pub number: u64,
}

impl Region {
    /// The one with this byte.
    pub fn of(lun: u64, place: u64) -> Self {
        Self { lun, number: place / REGION_BYTES }
    }
}

/// What a node could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Stays the same for a node that leaves and comes back: from its name.
    pub seed: u64,
    /// Of work that it has, in any unit.
    pub load: u64,
}

fn score(region: Region, seed: u64) -> u64 {
    FixedState::with_seed(seed).hash_one(region)
}

/// The seed of a node.
pub fn seed_of(name: &str) -> u64 {
    FixedState::with_seed(0).hash_one(name)
}

/// The index of the candidate that takes `more` load of a region; `None` if there is none.
pub fn place(region: Region, more: u64, candidates: &[Candidate]) -> Option<usize> {
    let count = candidates.len() as u64;
    let total: u64 = candidates.iter().map(|candidate| candidate.load).sum::<u64>() + more;
    // Rounded up, so that with little work everything still goes to the first choice.
    let most = (total * LOAD_NUMERATOR).div_ceil((count * LOAD_DENOMINATOR).max(1));
    let best = |full: bool| {
        let fits = |candidate: &Candidate| full || candidate.load + more <= most.max(more);
        let fitting = candidates.iter().enumerate().filter(|(_, candidate)| fits(candidate));
        fitting.max_by_key(|(_, candidate)| score(region, candidate.seed)).map(|(index, _)| index)
    };
    best(false).or_else(|| best(true))
}

/// The core of a node that a region is nearest to.
pub fn core_of(region: Region, node_seed: u64, cores: u16) -> u16 {
    let scores = (0..cores).map(|core| (score(region, node_seed ^ (u64::from(core) + 1)), core));
    scores.max().map_or(0, |(_, core)| core)
}
