//! Time, so that a test can have its own.

use std::time::{Duration, Instant};

pub(crate) trait Clock {
    /// ns since some moment that all cores share.
    fn now(&self) -> u64;
    /// Lets time pass, where nothing is under way.
    fn sleep(&self, ns: u64);
}

/// The monotonic clock of the kernel, read without a system call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Monotonic(Instant);

impl Monotonic {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> u64 {
        let passed = self.0.elapsed();
        passed.as_secs() * 1_000_000_000 + u64::from(passed.subsec_nanos())
    }

    fn sleep(&self, ns: u64) {
        std::thread::sleep(Duration::from_nanos(ns));
    }
}
