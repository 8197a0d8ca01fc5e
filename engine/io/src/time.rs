//! Points in time, as file systems record them.

/// Seconds and nanoseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

impl Time {
    /// Nanoseconds from `earlier` to `self`; `None` if `earlier` is later or the span is over 292
    /// years.
    pub fn since(self, earlier: Self) -> Option<u64> {
        let seconds = self.seconds.checked_sub(earlier.seconds)?;
        let nanos = i64::from(self.nanos) - i64::from(earlier.nanos);
        let total = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
        u64::try_from(total).ok()
    }
}

/// A time in 64 bits: 34 bits of seconds counted from 1901, 30 bits of nanoseconds.
///
/// Covers what ext4 can store (1901-12-13 to 2446-05-10) and wraps beyond it, so it serves to
/// compare times, while the manifest keeps the exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PackedTime(pub u64);

const SECONDS_BITS: u32 = 34;
const EPOCH_SHIFT: i64 = 1 << 31;

impl From<Time> for PackedTime {
    fn from(time: Time) -> Self {
        let seconds = time.seconds.wrapping_add(EPOCH_SHIFT) as u64 & ((1 << SECONDS_BITS) - 1);
        Self(seconds << 30 | u64::from(time.nanos))
    }
}

impl From<PackedTime> for Time {
    fn from(packed: PackedTime) -> Self {
        Self {
            seconds: (packed.0 >> 30) as i64 - EPOCH_SHIFT,
            nanos: (packed.0 & ((1 << 30) - 1)) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_of_ext4_survives_packing() {
        for seconds in [-(1 << 31), -1, 0, 1, 1_795_000_000, (1 << 34) - (1 << 31) - 1] {
            for nanos in [0, 1, 999_999_999] {
                let time = Time { seconds, nanos };
                assert_eq!(Time::from(PackedTime::from(time)), time);
            }
        }
    }
}
