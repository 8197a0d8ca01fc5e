//! Limits of the server, each with its argument.

use std::time::Duration;

/// For the handshake and the first message together. Longer takes only who means no good.
pub(crate) const GREETING: Duration = Duration::from_secs(10);

/// Bytes read at once: a few frames of usual size, so that a burst costs one system call.
pub(crate) const READ: usize = 256 << 10;

/// Bytes waiting for a peer at which nothing more is read from it until some are gone: it asks
/// faster than it listens.
pub(crate) const PAUSE: usize = 4 << 20;

/// For what is left to be sent to a peer that is being closed.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// After an error of accepting, which is mostly that there are too many open files.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one connection may have of the coordinator at once, if others are ready: a blocked reader
/// waits for one frame of each, not for all that was read of each.
pub(crate) const TURN: Duration = Duration::from_micros(50);

/// Results of an order that are handed to the coordinator at once: some 20 us.
pub(crate) const RESULTS: usize = 64;
