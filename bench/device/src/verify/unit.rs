//! What a verification writes: each logical block says where it belongs and when it was written.
//! docs/bench-device.md has the layout.

use dray_io::sum::crc32c;

const MAGIC: [u8; 8] = *b"drayvrfy";

/// Bytes before the random ones.
const HEAD: usize = 40;

/// Where the sum is, which is taken with zeros in its place.
const SUM: std::ops::Range<usize> = 32..36;

/// What was found in a logical block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Whole, of this run, in its place; with its generation.
    Written(u64),
    /// Of this run, but of another place.
    Elsewhere(u64),
    /// Nothing that this run has written, or not whole.
    Other,
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// Fills a logical block. `at` is its place in bytes.
pub(crate) fn write(unit: &mut [u8], run: u64, at: u64, generation: u64) {
    unit[..8].copy_from_slice(&MAGIC);
    unit[8..16].copy_from_slice(&run.to_le_bytes());
    unit[16..24].copy_from_slice(&at.to_le_bytes());
    unit[24..32].copy_from_slice(&generation.to_le_bytes());
    unit[32..HEAD].fill(0);
    let seed = run ^ at.rotate_left(17) ^ generation.rotate_left(41);
    fastrand::Rng::with_seed(seed).fill(&mut unit[HEAD..]);
    let sum = crc32c(unit);
    unit[SUM].copy_from_slice(&sum.to_le_bytes());
}

/// Looks at a logical block that was read from `at`. The bytes of its sum are cleared.
pub(crate) fn read(unit: &mut [u8], run: u64, at: u64) -> Found {
    let mut sum = [0; 4];
    sum.copy_from_slice(&unit[SUM]);
    unit[SUM].fill(0);
    if unit[..8] != MAGIC || number(unit, 8) != run || crc32c(unit) != u32::from_le_bytes(sum) {
        return Found::Other;
    }
    match number(unit, 16) {
        place if place == at => Found::Written(number(unit, 24)),
        place => Found::Elsewhere(place),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let mut unit = vec![0; 512];
        write(&mut unit, 7, 4096, 3);
        assert_eq!(read(&mut unit.clone(), 7, 4096), Found::Written(3));
        assert_eq!(read(&mut unit.clone(), 7, 8192), Found::Elsewhere(4096));
        assert_eq!(read(&mut unit.clone(), 8, 4096), Found::Other);
        assert_eq!(read(&mut [0; 512], 7, 4096), Found::Other);
        let (mut other, zeros) = (vec![0; 512], unit.iter().filter(|byte| **byte == 0).count());
        write(&mut other, 7, 4096, 4);
        assert!(unit[HEAD..] != other[HEAD..] && zeros < 60, "the data cannot be compressed");
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_seen(bit in 0_usize..4096) {
            let mut unit = vec![0; 512];
            write(&mut unit, 1, 512, 9);
            unit[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(read(&mut unit, 1, 512), Found::Written(9));
        }
    }
}
