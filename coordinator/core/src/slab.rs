//! Things by index, in chunks, so that growing never moves what is there: the cost of the next
//! entry does not depend on how many there are.

/// Entries of a chunk.
const CHUNK: usize = 4096;

/// A place in a slab, and how often it was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// Never zero.
    pub(crate) fn id(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_id(id: u64) -> Self {
        Self { index: id as u32, generation: (id >> 32) as u32 }
    }
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Entry<T>>>,
    free: Vec<u32>,
    /// Generation of a place that is used for the first time.
    first: u32,
    /// The highest that there is.
    highest: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), first: 1, highest: 0 }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key {
        let key = self.next_key();
        self.highest = self.highest.max(key.generation);
        if self.free.pop().is_none() {
            self.push(Entry { generation: 0, value: None });
        }
        let entry = self.entry_mut(key.index).expect("a place that is free");
        (entry.generation, entry.value) = (key.generation, Some(value));
        key
    }

    /// What the next that is inserted is called.
    pub(crate) fn next_key(&self) -> Key {
        match self.free.last() {
            // Zero is left out: an id is never zero.
            Some(index) => {
                let before = self.key(*index).generation;
                Key { index: *index, generation: before.wrapping_add(1).max(1) }
            }
            None => Key { index: self.end(), generation: self.first },
        }
    }

    fn push(&mut self, entry: Entry<T>) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        assert!(self.end() < u32::MAX, "slabs are bounded by limits");
        self.chunks.last_mut().expect("pushed above").push(entry);
    }

    /// Puts something where it was before a restart, in a place where nothing is. Then
    /// [`begin_above`](Self::begin_above) is to be called before anything is inserted.
    pub(crate) fn insert_at(&mut self, key: Key, value: T) {
        while self.end() <= key.index {
            self.push(Entry { generation: 0, value: None });
        }
        let entry = self.entry_mut(key.index).expect("pushed above");
        (entry.generation, entry.value) = (key.generation, Some(value));
    }

    /// All is where it was: whatever is inserted from now on has a higher generation than this.
    pub(crate) fn begin_above(&mut self, generation: u32) {
        (self.first, self.highest) = (generation.saturating_add(1), generation);
        self.free.clear();
        for index in (0..self.end()).rev() {
            let entry = self.entry_mut(index).expect("below the end");
            if entry.value.is_none() {
                entry.generation = generation;
                self.free.push(index);
            }
        }
    }

    /// No entry has or had a higher generation.
    pub(crate) fn highest(&self) -> u32 {
        self.highest
    }

    fn entry(&self, index: u32) -> Option<&Entry<T>> {
        self.chunks.get(index as usize / CHUNK)?.get(index as usize % CHUNK)
    }

    fn entry_mut(&mut self, index: u32) -> Option<&mut Entry<T>> {
        self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.entry(index)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entry_mut(index)?.value.as_mut()
    }

    /// Its index, if it is still the one with this id.
    pub(crate) fn find(&self, id: u64) -> Option<u32> {
        let key = Key::from_id(id);
        let entry = self.entry(key.index)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(key.index)
    }

    pub(crate) fn key(&self, index: u32) -> Key {
        Key { index, generation: self.entry(index).map_or(0, |entry| entry.generation) }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.entry_mut(index)?.value.take()?;
        self.free.push(index);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.end() as usize - self.free.len()
    }

    /// Places, used or not: all indices are below it.
    pub(crate) fn end(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        self.get(index).expect("an index that is held names an entry")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.get_mut(index).expect("an index that is held names an entry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_one_thing_for_ever() {
        let mut slab = Slab::default();
        let first = slab.insert('a').id();
        assert_ne!(first, 0);
        let index = slab.find(first).unwrap();
        assert_eq!(slab.remove(index), Some('a'));
        let second = slab.insert('b').id();
        assert_eq!(slab.find(first), None);
        assert_eq!(slab[slab.find(second).unwrap()], 'b');
        assert_eq!(slab.end(), 1);
        assert_eq!(slab.find(u64::MAX), None);
    }

    #[test]
    fn what_was_before_a_restart_is_where_it_was() {
        let mut slab = Slab::default();
        let (old, older) = (Key { index: 5, generation: 7 }, Key { index: 9000, generation: 2 });
        slab.insert_at(old, 'a');
        slab.insert_at(older, 'b');
        slab.begin_above(7);
        assert_eq!((slab.find(old.id()), slab.find(older.id())), (Some(5), Some(9000)));
        assert_eq!(slab.len(), 2);
        for _ in 0..9100 {
            let next = slab.next_key();
            let key = slab.insert('c');
            assert_eq!((key, key.generation), (next, 8));
        }
        assert_eq!(slab.highest(), 8);
        assert_eq!(slab.end(), 9102);
    }

    #[test]
    fn chunks_follow_each_other() {
        let mut slab = Slab::default();
        for number in 0..10_000_u32 {
            assert_eq!(slab.insert(number).index, number);
        }
        assert_eq!((slab[4095], slab[4096], slab[9999]), (4095, 4096, 9999));
    }
}
