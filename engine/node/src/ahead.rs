//! How much to restore for somebody who reads a file from front to back, and what before he asks.

use std::collections::HashMap;

use dray_io::Range;
use dray_io::limits::{RECALL_INLINE, SMALL_FILE};
use dray_wire::FileHandle;

use crate::config::Follow;

/// Bytes that are restored ahead at first, and at most: at some GiB/s a tenth of a second, which is
/// long beside what each restore costs by itself.
const FIRST: u64 = 16 << 20;
const MOST: u64 = 128 << 20;
/// Files that are remembered. Readers of more at once are taken for those who read at random.
const FILES: usize = 4096;

/// Where a reader is expected next.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// What was restored last, or is being restored.
    last: Range,
    /// Bytes to restore ahead next.
    ahead: u64,
}

/// What readers have done.
#[derive(Debug, Default)]
pub(crate) struct Ahead(HashMap<FileHandle, Place>);

/// What to do about an access.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The reader waits for this.
    pub(crate) now: Range,
    /// He will want this.
    pub(crate) then: Option<Range>,
}

impl Ahead {
    /// Somebody waits for `wanted` of a file of `size` bytes.
    pub(crate) fn plan(
        &mut self,
        follow: Follow,
        file: FileHandle,
        wanted: Range,
        size: u64,
    ) -> Plan {
        let size = size.max(wanted.end);
        let whole = Range::new(0, size);
        if size <= SMALL_FILE {
            return Plan { now: whole, then: None };
        }
        match follow {
            Follow::Range => return Plan { now: wanted, then: None },
            // Whoever orders it again is told when the first order is done.
            Follow::Whole => return Plan { now: wanted, then: Some(whole) },
            Follow::Readahead => {}
        }
        let old = self.0.get(&file).copied();
        let goes_on = |place: Place| {
            let expected = Range::new(place.last.start, place.last.end.saturating_add(1));
            expected.intersect(wanted).is_some()
        };
        let old = old.filter(|place| goes_on(*place));
        if old.is_none() && wanted.start > 0 {
            self.note(file, Place { last: wanted, ahead: FIRST });
            return Plan { now: wanted, then: None };
        }
        // What is wanted may lie within what is on its way already.
        let start = old.map_or(0, |place| place.last.end.max(wanted.start));
        let least = wanted.end.max(wanted.start.saturating_add(RECALL_INLINE));
        let now = Range::new(wanted.start, least.min(size));
        let ahead = old.map_or(FIRST, |place| place.ahead);
        let from = start.max(now.end);
        let then = Range::new(from, from.saturating_add(ahead).min(size.max(from)));
        self.note(file, Place { last: then, ahead: (2 * ahead).min(MOST) });
        Plan { now, then: (!then.is_empty()).then_some(then) }
    }

    fn note(&mut self, file: FileHandle, place: Place) {
        if self.0.len() >= FILES {
            self.0.clear();
        }
        self.0.insert(file, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 1 << 30;

    fn file(inode: u64) -> FileHandle {
        FileHandle { inode, ..FileHandle::default() }
    }

    #[test]
    fn who_reads_on_gets_more_and_more_ahead() {
        let mut ahead = Ahead::default();
        let mut at = 0;
        let mut had = 0;
        let mut lengths = Vec::new();
        while at < SIZE {
            let plan = ahead.plan(Follow::Readahead, file(1), Range::new(at, at + 131_072), SIZE);
            assert!(plan.now.start == at && plan.now.len() >= 131_072);
            let then = plan.then.unwrap_or(Range::new(plan.now.end, plan.now.end));
            // Nothing is left out.
            assert!(then.start <= plan.now.end.max(had), "{plan:?} {had}");
            assert!(then.end <= SIZE);
            had = had.max(then.end).max(plan.now.end);
            lengths.push(then.len());
            at = had;
        }
        assert!(lengths.len() < 14, "{lengths:?}");
        assert!(lengths.contains(&MOST));
    }

    #[test]
    fn who_reads_here_and_there_gets_what_he_asks_for() {
        let mut ahead = Ahead::default();
        for at in [700 << 20, 3 << 20, 90 << 20, 5 << 20] {
            let wanted = Range::new(at, at + 65_536);
            assert_eq!(
                ahead.plan(Follow::Readahead, file(1), wanted, SIZE),
                Plan { now: wanted, then: None }
            );
        }
    }

    #[test]
    fn the_rest_follows_if_it_is_to() {
        let (mut ahead, now) = (Ahead::default(), Range::new(50 << 20, 51 << 20));
        let whole = Range::new(0, SIZE);
        for (follow, then) in [(Follow::Whole, Some(whole)), (Follow::Range, None)] {
            assert_eq!(ahead.plan(follow, file(1), now, SIZE), Plan { now, then });
        }
    }

    #[test]
    fn a_small_file_is_had_at_once() {
        let mut ahead = Ahead::default();
        let plan = ahead.plan(Follow::Readahead, file(1), Range::new(8192, 12_288), 100_000);
        assert_eq!(plan, Plan { now: Range::new(0, 100_000), then: None });
        for inode in 0..10_000 {
            ahead.plan(Follow::Readahead, file(inode), Range::new(4096, 8192), SIZE);
        }
        assert!(ahead.0.len() <= FILES);
    }
}
