//! Memory that the kernel can read into and write from without a copy.

use crate::limits::BLOCK;

/// A zeroed buffer whose start and length are multiples of [`BLOCK`]: devices ask for 512 bytes
/// (`STATX_DIOALIGN`), file systems that do not say (btrfs, tmpfs) for at most a page.
///
/// Allocated once and reused; never on the path of a single block.
pub struct Aligned {
    /// With room for the start to be moved to a block.
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

/// Bytes, rounded up to whole blocks.
fn whole(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK as usize)
}

impl Aligned {
    /// A buffer of `bytes`, rounded up to whole blocks, all zero.
    pub fn new(bytes: usize) -> Self {
        let length = whole(bytes);
        // Of plain bytes: zeroed by the kernel page by page as they are touched. What is allocated
        // with an alignment of its own is cleared here and now, and most of it is never used.
        let bytes = vec![0; length + BLOCK as usize];
        let start = bytes.as_ptr().addr().next_multiple_of(BLOCK as usize) - bytes.as_ptr().addr();
        Self { bytes, start, length }
    }

    /// Grows, never shrinks, to hold at least `bytes`; new bytes are zero.
    pub fn reserve(&mut self, bytes: usize) {
        if whole(bytes) > self.length {
            let mut grown = Self::new(bytes);
            grown[..self.length].copy_from_slice(self);
            *self = grown;
        }
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_length_are_whole_blocks() {
        let mut buffer = Aligned::new(5000);
        assert_eq!(buffer.len(), 8192);
        assert_eq!(buffer.as_ptr() as usize % BLOCK as usize, 0);
        buffer[8191] = 7;
        buffer.reserve(9000);
        assert_eq!((buffer.len(), buffer[8191], buffer[8192]), (12288, 7, 0));
    }
}
