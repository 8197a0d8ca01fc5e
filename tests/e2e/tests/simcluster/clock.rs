//! Clocks that run apart: by less than a tenth between the slowest and the fastest.

use crate::random::Random;

pub(crate) const MS: u64 = 1_000_000;

#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// Of this clock in a million of the true one.
    rate: u64,
    offset: u64,
}

const MILLION: u64 = 1_000_000;

/// 1.045 / 0.955 is a little less than 1.1: what is left is the time of a step between asking for
/// the lease and acting on the answer.
const SLOWEST: u64 = 955_000;
const FASTEST: u64 = 1_045_000;

impl Clock {
    pub(crate) fn new(random: &mut Random) -> Self {
        let rate = match random.below(4) {
            0 => SLOWEST,
            1 => FASTEST,
            _ => random.between(SLOWEST, FASTEST),
        };
        Self { rate, offset: random.below(1 << 40) }
    }

    /// Whether it runs apart from the true one by more than a hundredth.
    pub(crate) fn is_skewed(&self) -> bool {
        self.rate.abs_diff(MILLION) > MILLION / 100
    }

    pub(crate) fn local(&self, now: u64) -> u64 {
        let now = u128::from(now) * u128::from(self.rate) / u128::from(MILLION);
        self.offset + now as u64
    }

    /// The true time at which this clock shows at least `local`.
    pub(crate) fn when(&self, local: u64) -> u64 {
        let since = u128::from(local.saturating_sub(self.offset)) * u128::from(MILLION);
        since.div_ceil(u128::from(self.rate)) as u64
    }
}
