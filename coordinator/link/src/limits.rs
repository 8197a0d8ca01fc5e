//! Limits of links, each with its argument.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// How long a cluster authority is valid. A cluster outlives its hardware; renewing the authority
/// means new certificates everywhere, so it should be rarer than replacing machines. Not enforced:
/// webpki does not look at the dates of an authority that it is told to trust.
pub const AUTHORITY_VALIDITY: Duration = Duration::from_secs(10 * 365 * DAY);

/// How long the certificate of a node or client is valid. Nothing is revoked before it expires,
/// so not for ever; but nobody is at hand to renew every month on a machine without a network.
pub const CERTIFICATE_VALIDITY: Duration = Duration::from_secs(2 * 365 * DAY);

/// How far a certificate is dated back. Clocks of machines that are being set up differ by
/// minutes; one that is an hour off has other troubles.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);

/// Characters in the name of a node or client: what one label of a DNS name holds.
pub const NAME_CHARS: usize = 63;

/// Bytes in the path of a socket. The kernel takes 107; while it is made the socket has a suffix
/// of 4.
pub const SOCKET_PATH: usize = 103;

/// Bytes read from a PEM file. A chain with a handful of certificates has 10 KiB; more is a wrong
/// path.
pub const PEM_BYTES: u64 = 1 << 20;

/// Mode of a Unix socket unless the options say otherwise: its owner, and root.
pub const SOCKET_MODE: u32 = 0o600;
