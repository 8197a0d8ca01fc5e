//! Which node and which core moves what: by where the data is, so that neighbours meet.
//!
//! Rendezvous hashing: every node has a score for every region, and the highest takes it. A node
//! that joins or leaves moves only the regions that it wins or loses. A node that is loaded beyond
//! 5/4 of the mean is passed over, unless that is little: each region that is passed over takes
//! others with it when nodes come and go.

use crate::limits::{LOAD_DENOMINATOR, LOAD_NUMERATOR, LOAD_SLACK, REGION_BYTES};

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

/// Spreads every bit of a number over all of them: the finalizer of `SplitMix64`. Written out,
/// since the scores are to stay the same, and to differ in all bits for seeds that differ in one.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn score(region: Region, seed: u64) -> u64 {
    mix(mix(mix(seed) ^ region.lun) ^ region.number)
}

/// The seed of a node.
pub fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0, |seed, byte| mix(seed ^ u64::from(byte)))
}

/// The index of the candidate that takes `more` load of a region; `None` if there is none.
pub fn place(region: Region, more: u64, candidates: &[Candidate]) -> Option<usize> {
    let count = (candidates.len() as u64).max(1);
    let total: u64 = candidates.iter().map(|candidate| candidate.load).sum::<u64>() + more;
    // Whoever has least always fits, and with little work everything goes to the first choice.
    let most = (total * LOAD_NUMERATOR / (count * LOAD_DENOMINATOR))
        .max(total / count + more.saturating_mul(LOAD_SLACK));
    let fits = |(_, candidate): &(usize, &Candidate)| candidate.load + more <= most;
    let fitting = candidates.iter().enumerate().filter(fits);
    fitting.max_by_key(|(_, candidate)| score(region, candidate.seed)).map(|(index, _)| index)
}

/// The core of a node that a region is nearest to.
pub fn core_of(region: Region, node_seed: u64, cores: u16) -> u16 {
    let scores = (0..cores).map(|core| (score(region, mix(node_seed ^ u64::from(core))), core));
    scores.max().map_or(0, |(_, core)| core)
}
