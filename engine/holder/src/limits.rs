//! Limits, each with its argument.

use std::time::Duration;

use rustix::time::Timespec;

/// For the holder to answer: it waits for nothing but the kernel, which may read an inode.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// From so many who wait on, answers are held back to be given together.
pub(crate) const CROWD: usize = 256;

/// Processor time to wake one who waits, and have him go back to sleep, twice over: so answers to a
/// crowd take no more than half of it. 10,000 are answered every 60 ms.
pub(crate) const WAKE: Duration = Duration::from_micros(6);

/// Silent descriptors that are made at once: as many as the engine has hands.
pub(crate) const TOUCHERS: usize = 32;

/// Connections: one or two for each thread of the engine that opens files, on each daemon and each
/// command of this machine.
pub(crate) const CONNECTIONS: usize = 1024;

/// Descriptors: one for each access that waits.
pub(crate) const OPEN_FILES: u64 = 1 << 20;

/// A read of an event that takes longer waits for a lease: the inode that it opens is in memory.
pub(crate) const READ: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// After an event that could not be read: should none be readable, a thread that runs in real time
/// leaves the processor to others.
pub(crate) const UNREADABLE: Duration = Duration::from_millis(1);

/// Looks at a thread that accesses, at most, and the time between two: the kernel asks just before
/// the thread goes to sleep, and only then can it be told what it does. Nobody else reads events
/// meanwhile.
pub(crate) const LOOKS: u32 = 4;
pub(crate) const LOOK: Duration = Duration::from_micros(50);

/// Threads that read events of one group: all but one may wait for leases. Those of releases end
/// within milliseconds, and the kernel ends any after 45 s (`/proc/sys/fs/lease-break-time`).
pub(crate) const READERS: usize = 128;
