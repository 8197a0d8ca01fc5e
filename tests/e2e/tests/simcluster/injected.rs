//! What went wrong on purpose, counted: a kind that never came is not tried.

use std::fmt;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Lost,
    Delayed,
    Duplicated,
    Reordered,
    Partition,
    Skew,
    Pause,
    PauseBeyondLease,
    NodeCrash,
    CrashInStep,
    ClientCrash,
    CoordinatorCrash,
    StoreCrash,
    CrashInWrite,
    PowerFailure,
    InRecovery,
}

/// All of them, in their order, as they are printed.
pub(crate) const NAMES: [&str; 16] = [
    "messages lost",
    "delayed",
    "duplicated",
    "reordered",
    "partitions",
    "clocks that run apart",
    "pauses",
    "pauses beyond a lease",
    "crashes of nodes",
    "crashes amid a movement",
    "crashes of clients",
    "crashes of coordinators",
    "crashes of the store",
    "crashes amid a write to the store",
    "power failures",
    "faults amid a recovery",
];

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Injected([u64; NAMES.len()]);

impl Injected {
    pub(crate) fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own += more);
    }

    /// The kinds that never came.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        NAMES.iter().zip(self.0).filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in NAMES.iter().zip(self.0).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}
