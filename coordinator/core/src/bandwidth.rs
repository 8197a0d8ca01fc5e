//! Bytes per second that a file system or a session may move.

/// A bucket of bytes that fills at a rate, up to a second's worth. It may be overdrawn once: what
/// is dispatched is bounded by the window, not by the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    rate: u64,
    /// Bytes; below zero while paying for what went before.
    level: i128,
    at_ns: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Bandwidth {
    /// `rate` in bytes per second, above zero.
    pub fn new(rate: u64, now_ns: u64) -> Self {
        Self { rate: rate.max(1), level: i128::from(rate), at_ns: now_ns }
    }

    pub fn rate(&self) -> u64 {
        self.rate
    }

    fn fill(&mut self, now_ns: u64) {
        let passed = now_ns.saturating_sub(self.at_ns);
        let more = i128::from(self.rate) * i128::from(passed) / i128::from(SECOND_NS);
        if more > 0 {
            self.level = (self.level + more).min(i128::from(self.rate));
            self.at_ns = now_ns;
        }
    }

    /// When something may be dispatched again; `None` for now.
    pub fn free_at(&mut self, now_ns: u64) -> Option<u64> {
        self.fill(now_ns);
        if self.level > 0 {
            return None;
        }
        let wait = (1 - self.level) * i128::from(SECOND_NS) / i128::from(self.rate) + 1;
        Some(now_ns.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    pub fn take(&mut self, bytes: u64) {
        self.level -= i128::from(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_the_rate_is_kept() {
        let mut limit = Bandwidth::new(1000, 0);
        let (mut now, mut moved) = (0, 0);
        while now < 100 * SECOND_NS {
            match limit.free_at(now) {
                None => {
                    limit.take(700);
                    moved += 700;
                }
                Some(then) => {
                    assert!(then > now);
                    now = then;
                }
            }
        }
        assert!((100_000..=102_000).contains(&moved), "{moved}");
    }
}
