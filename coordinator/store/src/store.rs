//! The journal as its user sees it.

use crate::error::Result;

/// A block of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// From 1, growing by 1.
    pub number: u64,
    /// At most [`BLOCK_BYTES`](crate::limits::BLOCK_BYTES).
    pub bytes: Vec<u8>,
}

/// A log of blocks: new ones are added at its head, the oldest dropped at its tail.
pub trait Store: Send {
    /// Everything that is kept, oldest first. What `each` says against a block ends it.
    #[expect(clippy::type_complexity, reason = "it stands here once, and is shortest so")]
    fn load(&mut self, each: &mut dyn FnMut(u64, &[u8]) -> Result<(), String>) -> Result<()>;

    /// Keeps these blocks and drops all below `keep_from`; durable when it returns.
    ///
    /// After an error it is not known what is kept of this call, and all before is. It may be
    /// called again with the same blocks, and has to be before others are given: a number stands
    /// for the same bytes until it is dropped. A store is left behind a dropped block for ever:
    /// a smaller `keep_from` than before drops nothing.
    fn commit(&mut self, blocks: &[Block], keep_from: u64) -> Result<()>;

    /// One block, for rewriting what is live in it.
    fn read(&mut self, number: u64) -> Result<Vec<u8>>;
}
