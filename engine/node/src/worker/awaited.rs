//! Whether somebody waits for data that this node brings back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Nanoseconds. Who has read a range is likely to want another soon; until then what nobody waits
/// for would have filled the queues of the device again.
const LINGERS_NS: u64 = 50_000_000;

/// What nobody waits for goes on so often however many wait, with a block per core: those who
/// wait may be waiting for space that it makes.
const GIVES_WAY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Awaited {
    began: Instant,
    items: Mutex<u64>,
    nobody: Condvar,
    /// On the clock that began then; none while somebody waits.
    until_ns: AtomicU64,
}

/// Somebody waits.
const WAITS: u64 = u64::MAX;

impl Awaited {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            items: Mutex::new(0),
            nobody: Condvar::new(),
            until_ns: AtomicU64::new(0),
        }
    }

    fn items(&self) -> MutexGuard<'_, u64> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn begin(&self, items: u64) {
        let mut waiting = self.items();
        *waiting += items;
        self.until_ns.store(WAITS, Ordering::Relaxed);
    }

    /// One of them has been answered.
    pub(crate) fn end(&self) {
        let mut items = self.items();
        *items -= 1;
        if *items == 0 {
            self.until_ns.store(self.now_ns() + LINGERS_NS, Ordering::Relaxed);
            self.nobody.notify_all();
        }
    }

    /// Whether somebody waits now, or has a moment ago.
    pub(crate) fn is(&self) -> bool {
        // Never zero once somebody has waited: the clock is not asked where nobody ever does.
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        until_ns > 0 && (until_ns == WAITS || self.now_ns() < until_ns)
    }

    /// Waits until nobody does, but not for long.
    pub(crate) fn give_way(&self) {
        let items = self.items();
        // Whichever of the two it was.
        drop(self.nobody.wait_timeout_while(items, GIVES_WAY, |items| *items > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_a_moment_longer_than_the_last_one() {
        let awaited = Awaited::new();
        assert!(!awaited.is());
        awaited.begin(2);
        awaited.end();
        assert!(awaited.is());
        awaited.end();
        assert!(awaited.is());
        std::thread::sleep(Duration::from_nanos(LINGERS_NS));
        assert!(!awaited.is());
    }

    #[test]
    fn who_gives_way_goes_on_when_nobody_waits_or_after_a_while() {
        let awaited = Awaited::new();
        awaited.give_way();
        awaited.begin(1);
        let began = Instant::now();
        awaited.give_way();
        assert!(began.elapsed() >= GIVES_WAY);
        awaited.begin(1);
        std::thread::scope(|scope| {
            scope.spawn(|| awaited.give_way());
            awaited.end();
            awaited.end();
        });
        awaited.give_way();
    }
}
