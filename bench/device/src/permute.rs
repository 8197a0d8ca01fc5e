//! A random order that takes each block once, without a map of those taken.

/// Numbers below `count` in an order of its own, each once per round; each round has another
/// order. Several cores share one order by taking every n-th of it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    count: u64,
    /// One less than the power of two that is at least `count`.
    mask: u64,
    shift: u32,
    key: u64,
    next: u64,
    first: u64,
    step: u64,
}

impl Order {
    /// The part of core `core` of `cores`.
    pub(crate) fn new(count: u64, seed: u64, core: u64, cores: u64) -> Self {
        assert!(count > 0 && core < cores, "there is something to take");
        let mask = count.next_power_of_two() - 1;
        let shift = (mask.count_ones() / 2).max(1);
        Self { count, mask, shift, key: seed, next: core, first: core, step: cores }
    }

    /// One-to-one on the numbers up to `mask`: a product with an odd number is, and so is a shift
    /// to the right that is added without carry.
    fn scatter(&self, number: u64) -> u64 {
        let mut x = (number ^ self.key) & self.mask;
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) & self.mask;
        x ^= x >> self.shift;
        x = x.wrapping_mul(self.key | 1) & self.mask;
        x ^= x >> self.shift;
        x.wrapping_mul(0xd6e8_feb8_6659_fd93) & self.mask
    }

    pub(crate) fn next(&mut self) -> u64 {
        loop {
            if self.next > self.mask {
                self.key = fastrand::Rng::with_seed(self.key).u64(..);
                self.next = self.first.min(self.mask);
            }
            let number = self.scatter(self.next);
            self.next += self.step;
            if number < self.count {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_once_per_round(count in 1_u64..3000, seed: u64, cores in 1_u64..4) {
            let mut seen = vec![0; count as usize];
            let mut total = 0;
            for core in 0..cores {
                let mut order = Order::new(count, seed, core, cores);
                // Its share: those of the round that fall to it.
                let share = (core..=order.mask)
                    .step_by(cores as usize)
                    .filter(|number| order.scatter(*number) < count)
                    .count();
                for _ in 0..share {
                    seen[order.next() as usize] += 1;
                }
                total += share;
            }
            prop_assert_eq!(total as u64, count);
            prop_assert!(seen.iter().all(|times| *times == 1));
        }
    }

    #[test]
    fn neighbours_are_rare_and_the_spread_is_even() {
        let mut order = Order::new(100_000, 42, 0, 1);
        let taken: Vec<u64> = (0..50_000).map(|_| order.next()).collect();
        let near = taken.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 100).count();
        assert!(near < 300, "{near} of 50,000 steps were short; chance has 100");
        let low = taken.iter().filter(|number| **number < 50_000).count();
        assert!((24_000..26_000).contains(&low), "{low} of 50,000 in the lower half");
    }
}
