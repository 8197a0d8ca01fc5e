//! What a verification writes: each logical block says where it belongs and when it was written.
//! docs/bench-device.md has the layout.

use dray_io::sum::crc32c;

const MAGIC: [u8; 8] = *b"drayvrfy";

/// Bytes before the random ones.
const HEAD: usize = 40;

/// Where the sum is, which is taken with zeros in its place.
const SUM: std::ops::Range<usize> = 32..36;

/// Where the number of the target is.
const TARGET: std::ops::Range<usize> = 36..38;

/// Where a logical block belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    /// Of those of a run, counted from 0.
    pub(crate) target: u16,
    /// Its place in bytes.
    pub(crate) at: u64,
}

/// What was found in a logical block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Whole, of this run, in its place; with its generation.
    Written(u64),
    /// Of this run, but of another place.
    Elsewhere(Home),
    /// Nothing that this run has written, or not whole.
    Other,
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// Fills a logical block.
pub(crate) fn write(unit: &mut [u8], run: u64, home: Home, generation: u64) {
    let Home { target, at } = home;
    unit[..8].copy_from_slice(&MAGIC);
    unit[8..16].copy_from_slice(&run.to_le_bytes());
    unit[16..24].copy_from_slice(&at.to_le_bytes());
    unit[24..32].copy_from_slice(&generation.to_le_bytes());
    unit[32..HEAD].fill(0);
    unit[TARGET].copy_from_slice(&target.to_le_bytes());
    let place = at.rotate_left(17) ^ u64::from(target).rotate_left(7);
    let seed = run ^ place ^ generation.rotate_left(41);
    fastrand::Rng::with_seed(seed).fill(&mut unit[HEAD..]);
    let sum = crc32c(unit);
    unit[SUM].copy_from_slice(&sum.to_le_bytes());
}

/// Looks at a logical block that was read from `home`. The bytes of its sum are cleared.
pub(crate) fn read(unit: &mut [u8], run: u64, home: Home) -> Found {
    let mut sum = [0; 4];
    sum.copy_from_slice(&unit[SUM]);
    unit[SUM].fill(0);
    if unit[..8] != MAGIC || number(unit, 8) != run || crc32c(unit) != u32::from_le_bytes(sum) {
        return Found::Other;
    }
    let target = u16::from_le_bytes([unit[TARGET.start], unit[TARGET.start + 1]]);
    match (Home { target, at: number(unit, 16) }) {
        place if place == home => Found::Written(number(unit, 24)),
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
        let home = Home { target: 2, at: 4096 };
        write(&mut unit, 7, home, 3);
        assert_eq!(read(&mut unit.clone(), 7, home), Found::Written(3));
        for other in [Home { at: 8192, ..home }, Home { target: 0, ..home }] {
            assert_eq!(read(&mut unit.clone(), 7, other), Found::Elsewhere(home));
        }
        assert_eq!(read(&mut unit.clone(), 8, home), Found::Other);
        assert_eq!(read(&mut [0; 512], 7, home), Found::Other);
        let (mut other, zeros) = (vec![0; 512], unit.iter().filter(|byte| **byte == 0).count());
        write(&mut other, 7, home, 4);
        assert!(unit[HEAD..] != other[HEAD..] && zeros < 60, "the data cannot be compressed");
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_seen(bit in 0_usize..4096) {
            let (mut unit, home) = (vec![0; 512], Home { target: 1, at: 512 });
            write(&mut unit, 1, home, 9);
            unit[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(read(&mut unit, 1, home), Found::Written(9));
        }
    }
}
