//! The state attribute of a file: `docs/state.md`.

use dray_archive::Location;
use dray_io::limits::PRESENT_RANGES;
use dray_io::{PackedTime, Range, RangeSet, Stat, sum};

const MAGIC: &[u8; 4] = b"DRAY";
const VERSION: u8 = 1;
const FIXED: usize = 64;
const SUM_AT: usize = 60;
const RANGE: usize = 16;
const MOVING: u8 = 1;
const REMAINS: u8 = 2;

/// What a file's attribute says of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All on disk, and in the archive.
    Archived,
    /// In the archive only.
    Released,
    /// In the archive, some ranges on disk too.
    Partial,
}

/// Decoded attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub kept: Kept,
    /// A release or restore began and did not end: the file's own modification time means
    /// nothing.
    pub moving: bool,
    /// Ranges not listed as present may hold what a release or restore that did not end left
    /// there: sectors as archived, or zeros.
    pub remains: bool,
    pub manifest: Location,
    /// Of the archived version.
    pub size: u64,
    pub modified: PackedTime,
    /// Of an archived file: the clock just before the attribute was written, or zero if what
    /// happened around that moment is not certain. Of another: the clock when the restore in steps
    /// began that is under way, if one is.
    pub stamp: PackedTime,
    pub inode: u64,
    pub generation: u32,
    /// Of a partial file.
    pub present: RangeSet,
}

impl Attribute {
    pub fn encode(&self) -> Vec<u8> {
        let ranges = self.present.as_slice();
        assert!(ranges.len() <= PRESENT_RANGES, "callers merge ranges down to the limit");
        let mut out = Vec::with_capacity(FIXED + ranges.len() * RANGE);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.push(match self.kept {
            Kept::Archived => 1,
            Kept::Released => 2,
            Kept::Partial => 3,
        });
        out.push(if self.moving { MOVING } else { 0 } | if self.remains { REMAINS } else { 0 });
        out.push(ranges.len() as u8);
        out.extend_from_slice(&self.manifest.volume.to_le_bytes());
        out.extend_from_slice(&self.manifest.length.to_le_bytes());
        out.extend_from_slice(&self.manifest.at.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.modified.0.to_le_bytes());
        out.extend_from_slice(&self.stamp.0.to_le_bytes());
        out.extend_from_slice(&self.inode.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for range in ranges {
            out.extend_from_slice(&range.start.to_le_bytes());
            out.extend_from_slice(&range.end.to_le_bytes());
        }
        let sum = sum::crc32c(&out);
        out[SUM_AT..FIXED].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads an attribute, or tells which rule it breaks.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() < FIXED || &bytes[..4] != MAGIC {
            return Err("it is not a state attribute");
        }
        if bytes[4] != VERSION {
            return Err("it has a version that this dray does not know");
        }
        let ranges = usize::from(bytes[7]);
        if bytes.len() != FIXED + ranges * RANGE || ranges > PRESENT_RANGES {
            return Err("its length is wrong");
        }
        let mut zeroed = bytes.to_vec();
        zeroed[SUM_AT..FIXED].fill(0);
        if u32_at(bytes, SUM_AT) != sum::crc32c(&zeroed) {
            return Err("its sum is wrong");
        }
        let kept = match bytes[5] {
            1 => Kept::Archived,
            2 => Kept::Released,
            3 => Kept::Partial,
            _ => return Err("it names an unknown state"),
        };
        let mut present = Vec::with_capacity(ranges);
        for range in bytes[FIXED..].chunks_exact(RANGE) {
            let (start, end) = (u64_at(range, 0), u64_at(range, 8));
            if start >= end {
                return Err("a range runs backwards");
            }
            present.push(Range::new(start, end));
        }
        Ok(Self {
            kept,
            moving: bytes[6] & MOVING != 0,
            remains: bytes[6] & REMAINS != 0,
            manifest: Location {
                volume: u32_at(bytes, 8),
                length: u32_at(bytes, 12),
                at: u64_at(bytes, 16),
            },
            size: u64_at(bytes, 24),
            modified: PackedTime(u64_at(bytes, 32)),
            stamp: PackedTime(u64_at(bytes, 40)),
            inode: u64_at(bytes, 48),
            generation: u32_at(bytes, 56),
            present: RangeSet::from_sorted(present).ok_or("its ranges overlap")?,
        })
    }

    /// Whether the attribute was written for this file, not copied from another.
    pub fn is_of(&self, stat: &Stat) -> bool {
        self.inode == stat.handle.inode && self.generation == stat.handle.generation
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute() -> Attribute {
        let mut present = RangeSet::default();
        present.insert(Range::new(0, 65536));
        present.insert(Range::new(131_072, 200_000));
        Attribute {
            kept: Kept::Partial,
            moving: true,
            remains: true,
            manifest: Location { volume: 3, at: 1 << 40, length: 328 },
            size: 200_000,
            modified: PackedTime(7),
            stamp: PackedTime(9),
            inode: 12,
            generation: 99,
            present,
        }
    }

    #[test]
    fn what_is_written_is_read_and_fits_an_inode() {
        let mut attribute = attribute();
        assert_eq!(Attribute::decode(&attribute.encode()), Ok(attribute.clone()));
        attribute.present = RangeSet::default();
        attribute.kept = Kept::Released;
        assert_eq!(attribute.encode().len(), 64);
        assert_eq!(Attribute::decode(&attribute.encode()), Ok(attribute));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = attribute().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Attribute::decode(&flipped).is_err(), "bit {bit}");
        }
        assert!(Attribute::decode(&bytes[..63]).is_err());
    }
}
