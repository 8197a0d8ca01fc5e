//! Memory that the kernel can read into and write from without a copy.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::limits::BLOCK;

/// One block, aligned as `O_DIRECT` wants it: devices ask for 512 bytes (`STATX_DIOALIGN`), file
/// systems that do not say (btrfs, tmpfs) for at most a page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
struct Block([u8; BLOCK as usize]);

/// A zeroed buffer whose start and length are multiples of [`BLOCK`].
///
/// Allocated once and reused; never on the path of a single block.
#[derive(Clone)]
pub struct Aligned(Vec<Block>);

impl Aligned {
    /// A buffer of `bytes`, rounded up to whole blocks, all zero.
    pub fn new(bytes: usize) -> Self {
        let blocks = bytes.div_ceil(BLOCK as usize);
        // Zeroed by the kernel page by page as it is touched, not here and now.
        Self(Block::new_vec_zeroed(blocks).expect("memory for a buffer"))
    }

    /// Grows, never shrinks, to hold at least `bytes`; new bytes are zero.
    pub fn reserve(&mut self, bytes: usize) {
        let blocks = bytes.div_ceil(BLOCK as usize);
        if blocks > self.0.len() {
            self.0.resize(blocks, Block([0; BLOCK as usize]));
        }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice().as_bytes()
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_slice().as_mut_bytes()
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
