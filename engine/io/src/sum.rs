//! CRC-32C, one per [`SUM_BLOCK`] of data.

use crc_fast::{CrcAlgorithm, checksum};

use crate::limits::SUM_BLOCK;

/// CRC-32C (Castagnoli, as iSCSI has it) of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// CRC-32C of two stretches joined, from the sum of each and the length of the second.
pub fn join(first: u32, second: u32, second_len: u64) -> u32 {
    crc_fast::checksum_combine(
        CrcAlgorithm::Crc32Iscsi,
        u64::from(first),
        u64::from(second),
        second_len,
    ) as u32
}

/// CRC-32C of several stretches one behind the other.
pub fn crc32c_of(stretches: &[&[u8]]) -> u32 {
    let mut digest = crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi);
    for stretch in stretches {
        digest.update(stretch);
    }
    digest.finalize() as u32
}

/// Joins the sums of whole checksum blocks. Joining two sums of any length costs some 10 us; for
/// one length it is linear in the first sum, so a table of what each of its bytes contributes
/// does it in nanoseconds.
pub struct BlockJoin(Box<[[u32; 256]; 4]>);

impl Default for BlockJoin {
    fn default() -> Self {
        Self::new()
    }
}

impl BlockJoin {
    pub fn new() -> Self {
        let mut table = Box::new([[0; 256]; 4]);
        for (byte, row) in table.iter_mut().enumerate() {
            for bit in 0..8 {
                row[1 << bit] = join(1 << (byte * 8 + bit), 0, SUM_BLOCK);
            }
            for value in 1..256_usize {
                let low = value & value.wrapping_neg();
                row[value] = row[low] ^ row[value ^ low];
            }
        }
        Self(table)
    }

    /// The sum of what `first` covers followed by one whole block with the sum `block`.
    pub fn append(&self, first: u32, block: u32) -> u32 {
        let bytes = first.to_le_bytes();
        let shifted = self.0.iter().zip(bytes).map(|(row, byte)| row[usize::from(byte)]);
        shifted.fold(block, |sum, part| sum ^ part)
    }
}

/// How many sums cover `len` bytes.
pub fn sums_in(len: u64) -> usize {
    len.div_ceil(SUM_BLOCK) as usize
}

/// Fills `sums` with one sum per block of `bytes`; the last block may be short.
pub fn sum_blocks(bytes: &[u8], sums: &mut [u32]) {
    debug_assert_eq!(sums.len(), sums_in(bytes.len() as u64));
    for (block, sum) in bytes.chunks(SUM_BLOCK as usize).zip(sums) {
        *sum = crc32c(block);
    }
}

/// Byte offset within `bytes` of the first block whose sum is not the given one.
pub fn first_bad_block(bytes: &[u8], sums: &[u32]) -> Option<u64> {
    debug_assert_eq!(sums.len(), sums_in(bytes.len() as u64));
    let bad = bytes.chunks(SUM_BLOCK as usize).zip(sums).position(|(b, sum)| crc32c(b) != *sum)?;
    Some(bad as u64 * SUM_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(join(crc32c(b"1234"), crc32c(b"56789"), 5), 0xe306_9283);
        assert_eq!(crc32c_of(&[b"1234", b"", b"56789"]), 0xe306_9283);
    }

    #[test]
    fn joining_whole_blocks_agrees_with_joining() {
        let joins = BlockJoin::new();
        for first in [0, 1, 0x8000_0000, 0xdead_beef, u32::MAX] {
            for block in [0, 7, 0xe306_9283] {
                assert_eq!(joins.append(first, block), join(first, block, SUM_BLOCK));
            }
        }
    }

    #[test]
    fn a_changed_byte_is_placed_in_its_block() {
        let mut bytes = vec![3_u8; 150_000];
        let mut sums = vec![0; sums_in(150_000)];
        sum_blocks(&bytes, &mut sums);
        assert_eq!(first_bad_block(&bytes, &sums), None);
        bytes[140_000] ^= 1;
        assert_eq!(first_bad_block(&bytes, &sums), Some(131_072));
    }
}
