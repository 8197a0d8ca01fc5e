//! What a core is to do next.

use dray_io::Flush;

use crate::tally::Kind;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Io {
    pub kind: Kind,
    /// Which target, by index.
    pub target: u16,
    /// Bytes from the start of the target.
    pub at: u64,
    /// Bytes.
    pub len: u32,
    pub how: Flush,
}

impl Io {
    pub(crate) fn flush(target: u16, how: Flush) -> Self {
        Self { kind: Kind::Flush, target, at: 0, len: 0, how }
    }
}

/// The answer of [`Work::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Start(Io),
    /// Nothing until something under way has completed.
    Wait,
    /// Nothing any more.
    End,
}

/// Requests, one after the other, and what becomes of them.
pub(crate) trait Work {
    /// Whether anything is to be done when a request has ended.
    const CHECKS: bool;
    fn next(&mut self) -> Step;
    /// The bytes that a write is going to write.
    fn fill(&mut self, io: &Io, bytes: &mut [u8]);
    /// A request has moved all its bytes; those that a read brought. The text says what is wrong
    /// with them.
    fn done(&mut self, io: &Io, bytes: &[u8]) -> Result<(), String>;
}
