//! Times of single operations.

use std::time::Duration;

use serde::Serialize;

/// Where times lie, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    pub count: usize,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct Times(Vec<u64>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// `None` without times.
    pub(super) fn quantiles(mut self) -> Option<Quantiles> {
        self.0.sort_unstable();
        let count = self.0.len();
        let max_ns = *self.0.last()?;
        // The least time that so many hundredths of all do not exceed.
        let at = |hundredths: usize| self.0[(count * hundredths).div_ceil(100).max(1) - 1];
        Some(Quantiles { count, p50_ns: at(50), p99_ns: at(99), max_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_and_of_one() {
        let mut times = Times::default();
        (1..=100).rev().for_each(|ns| times.add(Duration::from_nanos(ns)));
        let expected = Quantiles { count: 100, p50_ns: 50, p99_ns: 99, max_ns: 100 };
        assert_eq!(times.quantiles(), Some(expected));
        let mut times = Times::default();
        times.add(Duration::from_nanos(7));
        let only = times.quantiles().expect("one time");
        assert_eq!((only.p50_ns, only.p99_ns, only.max_ns), (7, 7, 7));
        assert_eq!(Times::default().quantiles(), None);
    }
}
