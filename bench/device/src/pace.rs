//! When requests of an open loop are to start.

use std::collections::VecDeque;

/// Arrivals that may wait for a free place in the queue, per core. A device that stalls for a
/// second under a million arrivals per second fills it; 8 MiB. What comes beyond is dropped and
/// counted.
pub(crate) const WAITING: usize = 1 << 20;

/// How requests follow one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Closed loop: the next one when one has completed.
    Closed,
    /// Open loop: so many per second and core, evenly.
    Linear(f64),
    /// Open loop: so many per second and core on average, each independent of all others.
    Poisson(f64),
}

impl Pace {
    /// Arrivals per second and core.
    pub(crate) fn rate(self) -> Option<f64> {
        match self {
            Self::Closed => None,
            Self::Linear(rate) | Self::Poisson(rate) => Some(rate),
        }
    }
}

/// Intended starts, in ns of the clock. They do not depend on completions.
#[derive(Debug)]
pub(crate) struct Arrivals {
    pace: Pace,
    /// ns; not rounded, so that the rate is exact however long it runs.
    next: f64,
    rng: fastrand::Rng,
    waiting: VecDeque<u64>,
    pub dropped: u64,
}

impl Arrivals {
    /// The first one is due one gap after `start`.
    pub(crate) fn new(pace: Pace, start: u64, seed: u64) -> Self {
        let waiting = match pace {
            Pace::Closed => VecDeque::new(),
            _ => VecDeque::with_capacity(WAITING),
        };
        let rng = fastrand::Rng::with_seed(seed);
        let mut arrivals = Self { pace, next: start as f64, rng, waiting, dropped: 0 };
        arrivals.step();
        arrivals
    }

    fn step(&mut self) {
        self.next += match self.pace {
            Pace::Closed => 0.0,
            Pace::Linear(rate) => 1e9 / rate,
            Pace::Poisson(rate) => -(1.0 - self.rng.f64()).ln() * 1e9 / rate,
        };
    }

    /// Puts what has arrived by `now` into the queue.
    pub(crate) fn advance(&mut self, now: u64) {
        while self.next <= now as f64 {
            if self.waiting.len() < WAITING {
                self.waiting.push_back(self.next as u64);
            } else {
                self.dropped += 1;
            }
            self.step();
        }
    }

    /// The intended start of the first that waits.
    pub(crate) fn take(&mut self) -> Option<u64> {
        self.waiting.pop_front()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When the next one comes.
    pub(crate) fn next(&self) -> u64 {
        self.next.ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn all(pace: Pace, until: u64) -> Vec<u64> {
        let mut arrivals = Arrivals::new(pace, 0, 7);
        arrivals.advance(until);
        std::iter::from_fn(|| arrivals.take()).collect()
    }

    #[test]
    fn linear_arrivals_are_even_and_exact() {
        let starts = all(Pace::Linear(3000.0), 10 * SECOND);
        assert!((29_999..=30_000).contains(&starts.len()), "{}", starts.len());
        assert_eq!((starts[0], starts[2], starts[29_998]), (333_333, 1_000_000, 9_999_666_666));
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let starts = all(Pace::Poisson(10_000.0), 20 * SECOND);
        let gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 100_000.0 - 1.0).abs() < 0.02, "mean {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "deviation {}", variance.sqrt());
        let longer = gaps.iter().filter(|gap| **gap > 100_000.0).count() as f64;
        assert!((longer / gaps.len() as f64 - (-1.0_f64).exp()).abs() < 0.01, "{longer}");
    }

    #[test]
    fn arrivals_do_not_wait_for_those_who_take_them() {
        let mut arrivals = Arrivals::new(Pace::Linear(1e6), 0, 1);
        arrivals.advance(SECOND / 2);
        assert_eq!((arrivals.waiting(), arrivals.dropped), (500_000, 0));
        arrivals.advance(2 * SECOND);
        assert_eq!(arrivals.waiting(), WAITING);
        assert_eq!(arrivals.dropped, 2_000_000 - WAITING as u64);
        assert_eq!(arrivals.take(), Some(1000), "the oldest first");
    }
}
