//! Which queued request stands for a movement, so that the same one is moved once.
//!
//! A table that grows looks at all that is in it. So there are many, and each entry keeps its hash:
//! what one of them has to do then is short, and the requests themselves are not touched.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

/// With 16 million entries each has a quarter of a million, which is moved in a millisecond or two.
const SHARDS: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    index: u32,
}

#[derive(Debug)]
pub(crate) struct Duplicates {
    shards: Vec<HashTable<Entry>>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

/// For a table that looks for a place by the low bits, and tells entries apart by the high ones.
/// The low bits stay as they are, so that neighbours lie together and are found in one cache line.
fn spread(hash: u32) -> u64 {
    u64::from(hash.wrapping_mul(0x9e37_79b9)) << 32 | u64::from(hash)
}

impl Duplicates {
    fn shard(&mut self, hash: u32) -> &mut HashTable<Entry> {
        &mut self.shards[hash as usize >> (u32::BITS - SHARDS.ilog2())]
    }

    /// The one with this hash that `is_same` takes for the same; else `index` is that from now on.
    pub(crate) fn find_or_insert(
        &mut self,
        hash: u32,
        index: u32,
        is_same: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let same = |other: &Entry| other.hash == hash && is_same(other.index);
        match self.shard(hash).entry(spread(hash), same, |other| spread(other.hash)) {
            Place::Occupied(entry) => Some(entry.get().index),
            Place::Vacant(entry) => {
                entry.insert(Entry { hash, index });
                None
            }
        }
    }

    /// Forgets a request, or has another stand in its place.
    pub(crate) fn replace(&mut self, hash: u32, index: u32, instead: Option<u32>) {
        let is_it = |other: &Entry| other.index == index;
        if let Ok(mut entry) = self.shard(hash).find_entry(spread(hash), is_it) {
            match instead {
                Some(other) => entry.get_mut().index = other,
                None => drop(entry.remove()),
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stands_until_another_takes_its_place() {
        let mut all = Duplicates::default();
        // All of one hash: only what is the same tells them apart.
        assert_eq!(all.find_or_insert(5, 1, |_| false), None);
        assert_eq!(all.find_or_insert(5, 2, |other| other == 1), Some(1));
        all.replace(5, 1, Some(3));
        assert_eq!(all.find_or_insert(5, 2, |other| other == 3), Some(3));
        // Not one that is in it.
        all.replace(5, 9, None);
        assert_eq!(all.len(), 1);
        all.replace(5, 3, None);
        assert_eq!(all.len(), 0);
    }

    #[test]
    fn each_hash_has_a_shard() {
        let mut all = Duplicates::default();
        for number in 0..10_000_u32 {
            let hash = number.wrapping_mul(0x9e37_79b9);
            assert_eq!(all.find_or_insert(hash, number, |other| other == number), None);
        }
        assert_eq!(all.len(), 10_000);
        assert!(all.shards.iter().all(|shard| shard.len() > 50));
    }
}
