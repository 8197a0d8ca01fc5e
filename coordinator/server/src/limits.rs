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
