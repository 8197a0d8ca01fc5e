//! Memory that the kernel moves data through.

use std::io;
use std::ptr::NonNull;

/// Size of the pages that let one request of 1 MiB be a single segment.
const HUGE: usize = 2 << 20;

/// Anonymous memory on 2 MiB boundaries, backed by huge pages where the kernel has them, filled
/// in at once so that no page fault comes later.
#[derive(Debug)]
pub struct Arena {
    start: NonNull<u8>,
    length: usize,
    /// What was mapped, which is larger by the alignment.
    mapping: *mut libc::c_void,
    mapped: usize,
}

// SAFETY: the arena is plain memory that is owned by one value; threads may hand it on.
unsafe impl Send for Arena {}

impl Arena {
    /// At least `bytes`, rounded up to whole huge pages.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let length = bytes.next_multiple_of(HUGE);
        let mapped = length + HUGE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping touches no memory of ours.
        let mapping = unsafe { libc::mmap(std::ptr::null_mut(), mapped, protection, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let skip = (mapping as usize).next_multiple_of(HUGE) - mapping as usize;
        let start = mapping.cast::<u8>().wrapping_add(skip);
        let Some(start) = NonNull::new(start) else {
            return Err(io::Error::other("the kernel mapped the zero page"));
        };
        let arena = Self { start, length, mapping, mapped };
        // Advice may be refused (no huge pages in this kernel): then requests are split, no more.
        let _ = arena.advise(libc::MADV_HUGEPAGE);
        let _ = arena.advise(libc::MADV_DONTFORK);
        arena.advise(libc::MADV_POPULATE_WRITE)?;
        Ok(arena)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range lies within the mapping that `self` owns.
        match unsafe { libc::madvise(self.start.as_ptr().cast(), self.length, advice) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Address of byte `offset`.
    pub(crate) fn address(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.length, "offset {offset} lies in the arena");
        self.start.as_ptr().wrapping_add(offset)
    }

    /// Bytes of the arena.
    ///
    /// # Safety
    /// No one, the kernel included, may write to the range while the slice lives.
    pub(crate) unsafe fn slice(&self, offset: usize, length: usize) -> &[u8] {
        assert!(offset + length <= self.length, "the range lies in the arena");
        let start = self.address(offset);
        // SAFETY: the range is mapped and filled in, and the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(start, length) }
    }

    /// Bytes of the arena, to be changed.
    ///
    /// # Safety
    /// No one, the kernel included, may read or write the range while the slice lives.
    pub(crate) unsafe fn slice_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        assert!(offset + length <= self.length, "the range lies in the arena");
        let start = self.address(offset);
        // SAFETY: the range is mapped and filled in, and the caller keeps others away.
        unsafe { std::slice::from_raw_parts_mut(start, length) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and rings drain before they let go of it.
        unsafe { libc::munmap(self.mapping, self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_is_zero_and_on_a_huge_page_boundary() {
        let mut arena = Arena::new(3 << 20).expect("memory");
        assert_eq!((arena.len(), arena.address(0) as usize % HUGE), (4 << 20, 0));
        // SAFETY: nobody else knows this arena.
        let bytes = unsafe { arena.slice_mut(0, 4 << 20) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes[(4 << 20) - 1] = 1;
    }
}
