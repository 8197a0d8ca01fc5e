//! Which blocks are kept, and which may come next.

use crate::error::{Error, Result};
use crate::limits::BLOCK_BYTES;
use crate::store::Block;

/// The blocks from `first` to before `next` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub first: u64,
    pub next: u64,
}

impl Span {
    pub(crate) const EMPTY: Self = Self { first: 1, next: 1 };

    /// What is kept after a commit. A gap would be damage to whoever loads the journal, so it is
    /// refused before anything is written.
    pub(crate) fn after(self, blocks: &[Block], keep_from: u64) -> Result<Self> {
        let mut next = self.next;
        let mut expected = blocks.first().map_or(next, |block| block.number.min(next));
        for block in blocks {
            if block.number != expected || block.number == 0 {
                return Err(Error::Order { expected: expected.max(1), found: block.number });
            }
            if block.bytes.len() > BLOCK_BYTES {
                return Err(Error::TooLarge { number: block.number, bytes: block.bytes.len() });
            }
            expected += 1;
            next = next.max(expected);
        }
        if keep_from > next {
            return Err(Error::Order { expected: next, found: keep_from });
        }
        Ok(Self { first: self.first.max(keep_from), next })
    }

    /// Checks that blocks are met one after the other while they are loaded.
    pub(crate) fn meet(&mut self, number: u64) -> Result<()> {
        if number != self.next {
            return Err(Error::Missing { number: self.next });
        }
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Span;
    use crate::error::Error;
    use crate::store::Block;

    fn blocks(numbers: impl IntoIterator<Item = u64>) -> Vec<Block> {
        numbers.into_iter().map(|number| Block { number, bytes: vec![] }).collect()
    }

    #[test]
    fn it_grows_and_shrinks_at_its_ends() {
        let span = Span::EMPTY.after(&blocks(1..4), 0).unwrap();
        assert_eq!(span, Span { first: 1, next: 4 });
        assert_eq!(span.after(&blocks(2..6), 2).unwrap(), Span { first: 2, next: 6 });
        assert_eq!(span.after(&[], 4).unwrap(), Span { first: 4, next: 4 });
        assert_eq!(span.after(&blocks(1..2), 1).unwrap(), span);
    }

    #[test]
    fn gaps_are_refused() {
        let refused = |span: Span, numbers: &[u64], keep| {
            matches!(span.after(&blocks(numbers.iter().copied()), keep), Err(Error::Order { .. }))
        };
        let span = Span { first: 3, next: 6 };
        assert!(refused(span, &[7], 3));
        assert!(refused(span, &[6, 8], 3));
        assert!(refused(span, &[6, 6], 3));
        assert!(refused(span, &[6], 8));
        assert!(refused(Span::EMPTY, &[0], 0));
    }
}
