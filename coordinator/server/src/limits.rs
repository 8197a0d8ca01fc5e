//! Limits of the server, each with its argument.

use std::time::Duration;

/// For the handshake and the first message together. Longer takes only who means no good.
pub(crate) const GREETING: Duration = Duration::from_secs(10);

/// Bytes read at once: a few frames of usual size, so that a burst costs one system call.
pub(crate) const READ: usize = 256 << 10;

/// Bytes taken of a peer before its *Hello*, which has at most 124.
pub(crate) const GREETING_BYTES: usize = 4 << 10;

/// Memory that a connection keeps for the next message of its kind: most are far shorter.
pub(crate) const KEEP: usize = 64 << 10;

/// Bytes waiting for a peer at which nothing more is read from it until some are gone: it asks
/// faster than it listens.
pub(crate) const PAUSE: usize = 4 << 20;

/// For what is left to be sent to a peer that is being closed.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// After an error of accepting, which is mostly that there are too many open files.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two attempts to keep something where it did not work: a disk that was full may have
/// space again, a store that could not be reached be there again.
pub(crate) const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked meanwhile whether all is to end.
pub(crate) const STORE_LOOK: Duration = Duration::from_millis(50);

/// Blocks in one commit: enough that a flush costs little beside them, few enough that those who
/// wait for the first do not wait long.
pub(crate) const COMMIT_BLOCKS: usize = 16;

/// For the store to keep what there is at the end.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);

/// For peers to be told that this coordinator leads no more, before its connections end anyhow.
pub(crate) const PARTING: Duration = Duration::from_millis(20);
