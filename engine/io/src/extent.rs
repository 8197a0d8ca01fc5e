//! Byte ranges within one file, and sets of them.

use crate::limits::BLOCK;

/// Bytes `start..end` of a file or LUN. Never negative; may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

impl Range {
    pub fn new(start: u64, end: u64) -> Self {
        assert!(start <= end, "range {start}..{end} runs backwards");
        Self { start, end }
    }

    pub fn len(self) -> u64 {
        self.end - self.start
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes in both, or `None`.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }

    /// Widened to multiples of `unit`, a power of two, and cut at `limit`.
    pub fn widen(self, unit: u64, limit: u64) -> Self {
        debug_assert!(unit.is_power_of_two());
        let end = self.end.checked_next_multiple_of(unit).unwrap_or(u64::MAX).min(limit);
        Self { start: (self.start / unit * unit).min(end), end }
    }
}

/// `bytes` rounded up to whole blocks.
pub fn blocks_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// Sorted ranges that neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeSet(Vec<Range>);

impl RangeSet {
    /// From ranges already sorted and apart; `None` if they are not.
    pub fn from_sorted(ranges: Vec<Range>) -> Option<Self> {
        let apart = ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
        (apart && ranges.iter().all(|range| range.start < range.end)).then_some(Self(ranges))
    }

    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes in all ranges together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|range| range.len()).sum()
    }

    pub fn contains(&self, wanted: Range) -> bool {
        wanted.is_empty()
            || self.0.iter().any(|have| have.start <= wanted.start && wanted.end <= have.end)
    }

    /// Adds `new`, merging what it touches.
    pub fn insert(&mut self, new: Range) {
        if new.is_empty() {
            return;
        }
        let first = self.0.partition_point(|have| have.end < new.start);
        let last = self.0.partition_point(|have| have.start <= new.end);
        let mut merged = new;
        for have in &self.0[first..last] {
            merged = Range::new(merged.start.min(have.start), merged.end.max(have.end));
        }
        self.0.splice(first..last, [merged]);
    }

    /// What of `wanted` is not in the set, in order.
    pub fn missing(&self, wanted: Range) -> Vec<Range> {
        let mut gaps = Vec::new();
        let mut at = wanted.start;
        for have in &self.0 {
            if have.end <= at {
                continue;
            }
            if have.start >= wanted.end {
                break;
            }
            if have.start > at {
                gaps.push(Range::new(at, have.start));
            }
            at = have.end;
        }
        if at < wanted.end {
            gaps.push(Range::new(at, wanted.end));
        }
        gaps
    }

    /// The smallest gap between two neighbours: filling it is the cheapest way to have one range
    /// fewer.
    pub fn narrowest_gap(&self) -> Option<Range> {
        self.0
            .windows(2)
            .map(|pair| Range::new(pair[0].end, pair[1].start))
            .min_by_key(|gap| gap.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        let mut set = RangeSet::default();
        for &(start, end) in ranges {
            set.insert(Range::new(start, end));
        }
        set
    }

    #[test]
    fn neighbours_merge_and_gaps_are_found() {
        let set = set(&[(10, 20), (40, 50), (20, 30)]);
        assert_eq!(set.as_slice(), [Range::new(10, 30), Range::new(40, 50)]);
        assert_eq!(set.missing(Range::new(0, 45)), [Range::new(0, 10), Range::new(30, 40)]);
        assert_eq!(set.narrowest_gap(), Some(Range::new(30, 40)));
        assert!(set.contains(Range::new(12, 30)) && !set.contains(Range::new(29, 41)));
    }

    #[test]
    fn a_set_agrees_with_a_bitmap() {
        let mut seed = 1_u64;
        for _ in 0..200 {
            let (mut set, mut bits) = (RangeSet::default(), [false; 64]);
            for _ in 0..8 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let start = (seed >> 33) % 60;
                let end = start + (seed >> 50) % 5;
                set.insert(Range::new(start, end));
                bits[start as usize..end as usize].fill(true);
            }
            assert_eq!(set.total(), bits.iter().filter(|bit| **bit).count() as u64);
            let missing: u64 = set.missing(Range::new(0, 64)).iter().map(|gap| gap.len()).sum();
            assert_eq!(missing, 64 - set.total());
            assert!(RangeSet::from_sorted(set.as_slice().to_vec()).is_some());
        }
    }
}
