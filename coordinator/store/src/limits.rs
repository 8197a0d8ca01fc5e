//! Limits of the stores, each with its argument.

/// Bytes in a block. One has to fit into a request of etcd, 1.5 MiB unless configured otherwise,
/// with its frame and where it does not get smaller by packing.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Bytes. What is read is read once and in order, what is written is written out at once: the
/// cache of the database has to hold little more than one transaction.
pub(crate) const CACHE_BYTES: usize = 32 << 20;
