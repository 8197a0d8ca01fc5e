//! How much is under way at once, where others are to have the device, too.

use crate::tally::Watch;

/// How much of a device a movement may take. Asked for each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As much as it gives.
    Full,
    /// So much that a block takes no longer than so many nanoseconds from its read to the end of
    /// its write: who comes then finds short queues.
    Within(u64),
    /// One block at a time, and [`Watch::give_way`] before it: somebody waits.
    Least,
}

/// Blocks under way on a core when nothing is known of the device yet.
const FIRST: usize = 4;

/// Blocks that may be under way on a core. Within a time there is one more each time that all had
/// their turn and were in time, and half as many once one was not.
pub(crate) struct Depth<'a> {
    watch: &'a dyn Watch,
    slots: usize,
    most: usize,
    /// Blocks that were begun before the last change, and say nothing of what it did.
    old: usize,
}

impl<'a> Depth<'a> {
    pub(crate) fn new(slots: usize, watch: &'a dyn Watch) -> Self {
        Self { watch, slots, most: FIRST.min(slots), old: 0 }
    }

    /// Whether another block may begin beside so many. May wait if there are none.
    pub(crate) fn has_room(&self, under_way: usize) -> bool {
        match self.watch.pace() {
            Pace::Full => true,
            Pace::Within(_) => under_way < self.most,
            Pace::Least if under_way == 0 => {
                self.watch.give_way();
                true
            }
            Pace::Least => false,
        }
    }

    /// A block has ended that took so many nanoseconds.
    pub(crate) fn took(&mut self, ns: u64) {
        let Pace::Within(limit) = self.watch.pace() else { return };
        if self.old > 0 {
            self.old -= 1;
            return;
        }
        self.old = self.most;
        self.most = if ns > limit { self.most / 2 } else { self.most + 1 };
        self.most = self.most.clamp(1, self.slots);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    const LIMIT: u64 = 1000;

    struct Set(Mutex<Pace>, AtomicUsize);

    impl Set {
        fn to(pace: Pace) -> Self {
            Self(Mutex::new(pace), AtomicUsize::new(0))
        }
    }

    impl Watch for Set {
        fn failed(&self, _path: &Path, _error: &Error) {}

        fn pace(&self) -> Pace {
            *self.0.lock().unwrap()
        }

        fn give_way(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Blocks under way on a device that takes so long for each of them.
    fn settles(each_ns: u64) -> usize {
        let watch = Set::to(Pace::Within(LIMIT));
        let mut depth = Depth::new(32, &watch);
        let (mut seen, mut low) = (0, usize::MAX);
        for round in 0..10_000 {
            let under_way = (0..).find(|count| !depth.has_room(*count)).unwrap();
            depth.took(under_way as u64 * each_ns);
            if round > 1000 {
                (seen, low) = (seen.max(under_way), low.min(under_way));
            }
        }
        assert!(low * 2 >= seen.saturating_sub(1), "{low} to {seen}");
        seen
    }

    #[test]
    fn a_block_takes_no_longer_than_it_may() {
        assert_eq!(settles(1), 32, "as many as there are slots");
        assert_eq!(settles(100), 11, "one more than there may be, to see");
        assert_eq!(settles(5000), 1, "one in any case");
    }

    #[test]
    fn who_gives_way_has_one_under_way() {
        let watch = Set::to(Pace::Least);
        let mut depth = Depth::new(8, &watch);
        assert!(depth.has_room(0) && !depth.has_room(1));
        assert_eq!(watch.1.load(Ordering::Relaxed), 1);
        // That says nothing of the device.
        (0..100).for_each(|_| depth.took(LIMIT * 9));
        *watch.0.lock().unwrap() = Pace::Within(LIMIT);
        assert!(depth.has_room(FIRST - 1) && !depth.has_room(FIRST));
        *watch.0.lock().unwrap() = Pace::Full;
        assert!(depth.has_room(7));
    }
}
