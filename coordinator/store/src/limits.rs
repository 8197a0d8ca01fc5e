//! Limits of the stores, each with its argument.

/// Bytes in a block: a flush of one costs little more than one of a few bytes, and it is read whole
/// to be rewritten.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Bytes. What is read is read once and in order, what is written is written out at once: the
/// cache of the database has to hold little more than one transaction.
pub(crate) const CACHE_BYTES: usize = 32 << 20;
