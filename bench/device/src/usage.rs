//! What the process used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all threads of the process, those that the kernel adds for a ring included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub user: Duration,
    pub system: Duration,
}

impl Usage {
    /// The sum is exact; its parts are as the kernel samples them, to 10 ms.
    pub(crate) fn now() -> Self {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let total = Duration::new(spent.tv_sec.cast_unsigned(), spent.tv_nsec as u32);
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let share = user_share(&stat).unwrap_or(0.0);
        let user = total.mul_f64(share);
        Self { user, system: total.saturating_sub(user) }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

/// Of user and system time, the part of user time; from fields 14 and 15 of a stat line.
fn user_share(stat: &str) -> Option<f64> {
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    (user + system > 0.0).then(|| user / (user + system))
}

/// Context switches of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    pub voluntary: u64,
    pub involuntary: u64,
}

impl Switches {
    pub(crate) fn add(&mut self, other: Self) {
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            voluntary: self.voluntary - before.voluntary,
            involuntary: self.involuntary - before.involuntary,
        }
    }
}

/// Those of the calling thread so far.
pub(crate) fn switches() -> Switches {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let count = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    Switches {
        voluntary: count("voluntary_ctxt_switches:"),
        involuntary: count("nonvoluntary_ctxt_switches:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line() {
        let line = "42 (a ) b) R 1 1 1 0 -1 4194304 100 0 0 0 30 10 0 0 20 0 1 0 5 0 0";
        assert_eq!(user_share(line), Some(0.75));
        assert_eq!(user_share("nonsense"), None);
    }

    #[test]
    fn time_passes() {
        let before = Usage::now();
        let mut sum = 0_u64;
        while Usage::now().since(before).user + Usage::now().since(before).system
            < Duration::from_millis(5)
        {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
