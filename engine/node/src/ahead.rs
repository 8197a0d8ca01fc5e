//! How much to restore for somebody who reads a file from front to back, and what before he asks.

use std::collections::HashMap;

use dray_io::Range;
use dray_io::limits::{RECALL_INLINE, SMALL_FILE};
use dray_wire::FileHandle;

use crate::config::Follow;

/// Bytes that are restored ahead at least and at most; between these as many as somebody has read
/// in one go, so that no more is restored for nothing. Where he is while he reads what is there is
/// not known, so it has to be much if the next is to be restored meanwhile.
const LEAST: u64 = 16 << 20;
const MOST: u64 = 1 << 30;
/// Files that are remembered. Readers of more at once are taken for those who read at random.
const FILES: usize = 4096;

/// Where a reader is expected next.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where he began.
    began: u64,
    /// From where he waited last to the end of what was ordered for him.
    ordered: Range,
}

/// What readers have done.
#[derive(Debug, Default)]
pub(crate) struct Ahead(HashMap<FileHandle, Place>);

/// What to do about an access.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The reader waits for this.
    pub(crate) now: Range,
    /// He will want these, one after the other.
    pub(crate) then: Vec<Range>,
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
            return Plan { now: whole, then: Vec::new() };
        }
        match follow {
            Follow::Range => return Plan { now: wanted, then: Vec::new() },
            // Whoever orders it again is told when the first order is done.
            Follow::Whole => return Plan { now: wanted, then: vec![whole] },
            Follow::Readahead => {}
        }
        let expected =
            |place: &Place| (place.ordered.start..=place.ordered.end).contains(&wanted.start);
        let old = self.0.get(&file).copied().filter(expected);
        if old.is_none() && wanted.start > 0 {
            self.note(file, Place { began: wanted.start, ordered: wanted });
            return Plan { now: wanted, then: Vec::new() };
        }
        let least = wanted.end.max(wanted.start.saturating_add(RECALL_INLINE));
        let now = Range::new(wanted.start, least.min(size));
        let Place { began, ordered } = old.unwrap_or(Place { began: 0, ordered: now });
        let ahead = (now.end - began).clamp(LEAST, MOST);
        // One is under way while he reads another. Each ends with a flush, in which nothing is read
        // from the archive; so they are as large as that.
        let part = ahead / 2;
        // What is wanted may lie within what is on its way already.
        let from = ordered.end.max(now.end);
        let most = now.end.saturating_add(ahead).min(size).max(from);
        // As long as there is something on its way, no less than a part is worth ordering.
        let waits = ordered.end > now.end && most < size;
        let end = if waits { from + (most - from) / part * part } else { most };
        self.note(file, Place { began, ordered: Range::new(now.start, end) });
        let parts = (from..end).step_by(part as usize);
        Plan { now, then: parts.map(|at| Range::new(at, (at + part).min(end))).collect() }
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

    /// Reads from front to back; so much is restored while he reads so much. The lengths of what
    /// was ordered ahead.
    fn read_on(restored: u64) -> Vec<u64> {
        let mut ahead = Ahead::default();
        let (mut at, mut end, mut lengths) = (0, 0, Vec::new());
        while at < SIZE {
            let plan = ahead.plan(Follow::Readahead, file(1), Range::new(at, at + 131_072), SIZE);
            assert!(plan.now.start == at && plan.now.len() >= 131_072);
            end = end.max(plan.now.end);
            let before = end;
            for part in &plan.then {
                assert!(
                    part.start == end && !part.is_empty() && part.len() <= MOST / 2,
                    "{plan:?}"
                );
                end = part.end;
            }
            assert!(end <= SIZE && end - plan.now.end <= LEAST.max(plan.now.end), "{plan:?}");
            lengths.push(end - before);
            at = end.min(at + restored);
        }
        lengths
    }

    #[test]
    fn who_reads_on_gets_more_and_more_ahead() {
        let lengths = read_on(u64::MAX / 2);
        assert!(lengths.len() < 10 && lengths.iter().any(|it| *it > 400 << 20), "{lengths:?}");
        // A reader who waits again and again gets no more for it.
        assert!(read_on(64 << 20).len() > 15);
        read_on(1 << 20);
    }

    #[test]
    fn who_reads_here_and_there_gets_what_he_asks_for() {
        let mut ahead = Ahead::default();
        for at in [700 << 20, 3 << 20, 90 << 20, 5 << 20] {
            let wanted = Range::new(at, at + 65_536);
            assert_eq!(
                ahead.plan(Follow::Readahead, file(1), wanted, SIZE),
                Plan { now: wanted, then: Vec::new() }
            );
        }
    }

    #[test]
    fn the_rest_follows_if_it_is_to() {
        let (mut ahead, now) = (Ahead::default(), Range::new(50 << 20, 51 << 20));
        let whole = Range::new(0, SIZE);
        for (follow, then) in [(Follow::Whole, vec![whole]), (Follow::Range, Vec::new())] {
            assert_eq!(ahead.plan(follow, file(1), now, SIZE), Plan { now, then });
        }
    }

    #[test]
    fn a_small_file_is_had_at_once() {
        let mut ahead = Ahead::default();
        let plan = ahead.plan(Follow::Readahead, file(1), Range::new(8192, 12_288), 100_000);
        assert_eq!(plan, Plan { now: Range::new(0, 100_000), then: Vec::new() });
        for inode in 0..10_000 {
            ahead.plan(Follow::Readahead, file(inode), Range::new(4096, 8192), SIZE);
        }
        assert!(ahead.0.len() <= FILES);
    }
}
