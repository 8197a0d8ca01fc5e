//! How fast requests end, for saying when one will.

/// Nanoseconds over which endings are counted.
const SPAN_NS: u64 = 1_000_000_000;

#[derive(Debug, Default)]
pub(crate) struct Pace {
    count: u64,
    since_ns: u64,
    /// Ended per second, lately; 0 as long as nothing has.
    per_second: u64,
}

impl Pace {
    pub(crate) fn count(&mut self, now_ns: u64) {
        self.count += 1;
        let span = now_ns.saturating_sub(self.since_ns);
        if span >= SPAN_NS {
            let latest = (u128::from(self.count) * 1_000_000_000 / u128::from(span)) as u64;
            // Half of what was known before stays, so that a short pause does not show.
            let known = if self.per_second == 0 { latest } else { self.per_second };
            self.per_second = (known + latest) / 2;
            (self.count, self.since_ns) = (0, now_ns);
        }
    }

    /// Milliseconds until so many more have ended; 0 if that is not known.
    pub(crate) fn eta_ms(&self, position: u64) -> u32 {
        match self.per_second {
            0 => 0,
            rate => u32::try_from((position + 1) * 1000 / rate).unwrap_or(u32::MAX).max(1),
        }
    }
}
