//! Limits, each with its argument.

use std::time::Duration;

/// For the holder to answer: it waits for nothing but the kernel, which may read an inode.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// Connections: one or two for each thread of the engine that opens files, on each daemon and each
/// command of this machine.
pub(crate) const CONNECTIONS: usize = 1024;

/// Descriptors: one for each access that waits.
pub(crate) const OPEN_FILES: u64 = 1 << 20;
