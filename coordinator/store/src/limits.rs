//! Limits of the stores, each with its argument.

/// Bytes in a block: a flush of one costs little more than one of a few bytes, and it is read whole
/// to be rewritten.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Bytes. What is read is read once and in order, what is written is written out at once: the
/// cache of the database has to hold little more than one transaction.
pub(crate) const CACHE_BYTES: usize = 32 << 20;

#[cfg(feature = "etcd")]
pub use etcd::*;

#[cfg(feature = "etcd")]
mod etcd {
    use std::time::Duration;

    /// For how long one leads without being heard. etcd grants no less than one and a half times
    /// its election timeout (1 s unless it is told otherwise), in whole seconds; 3 s outlasts an
    /// election among its members.
    pub const LEAD: Duration = Duration::from_secs(3);

    /// So often the lead is prolonged in its length: an election of etcd's own takes up to 2 s, and
    /// the last renewal before it is to be younger than what remains of nine tenths of the lead.
    pub(crate) const RENEWALS: u32 = 6;

    /// A node that could not begin to coordinate lets the others try before it does again.
    pub(crate) const STAY_AWAY: Duration = Duration::from_secs(5);

    /// Who follows is told of changes, and looks by itself so often, in case it was not.
    pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);

    /// After an error of the election.
    pub(crate) const ELECT_AGAIN: Duration = Duration::from_millis(250);

    /// Bytes in a transaction: etcd refuses requests above 1.5 MiB (`--max-request-bytes`).
    pub(crate) const ETCD_TXN_BYTES: usize = crate::limits::BLOCK_BYTES;

    /// etcd refuses more than 128 operations in a transaction (`--max-txn-ops`).
    pub(crate) const ETCD_TXN_BLOCKS: usize = 100;

    /// Blocks asked for at once. Most are small, as a commit makes one, and a journal of thousands
    /// has to be read before anything is posted.
    pub(crate) const ETCD_PAGE_BLOCKS: i64 = 64;

    /// Bytes of a message from etcd: so many blocks at their largest.
    pub(crate) const ETCD_MESSAGE_BYTES: usize = (ETCD_PAGE_BLOCKS as usize + 1) * ETCD_TXN_BYTES;

    /// Compacting makes work in proportion to what it forgets, so how often does not matter much;
    /// this is small beside etcd's usual quota of 2 GiB.
    pub(crate) const ETCD_COMPACT_BYTES: usize = 64 << 20;

    /// A member that has not answered within this part of the lead is not waited for alone: where
    /// etcd's own leader is gone, what it was asked through another is lost without a word.
    pub(crate) const ASK_AGAIN: u32 = 12;

    /// The same about the journal. Longer than a flush takes, as what is asked again is written
    /// again, if only to be refused.
    pub(crate) const ETCD_AGAIN: Duration = Duration::from_secs(1);

    /// For the members to answer about the journal. etcd gives up a transaction after 7 s, of which
    /// 5 s are for the disks.
    pub(crate) const ETCD_PATIENCE: Duration = Duration::from_secs(15);

    /// For a connection to a member, which is on the same network.
    pub(crate) const ETCD_CONNECT: Duration = Duration::from_millis(500);

    /// A connection whose other end says nothing for so long is asked, and after as long again
    /// given up.
    pub(crate) const ETCD_PING: Duration = Duration::from_secs(1);
}
