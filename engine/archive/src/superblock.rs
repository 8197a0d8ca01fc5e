//! The superblock: `docs/volume.md`, "Superblock".

use dray_io::PackedTime;
use dray_io::limits::BLOCK;

use crate::layout::{ArchiveId, BLOCK_SUM_AT, MARK_LENGTH, Put, Take, VERSION, block_sum};

const MAGIC: &[u8; 8] = b"DRAYVOL1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    pub archive: ArchiveId,
    pub volume: u32,
    pub revision: u64,
    /// Bytes.
    pub capacity: u64,
    pub frontier: u64,
    pub durable: u64,
    pub created: PackedTime,
}

impl Superblock {
    /// The copy that this revision is written to: the copies alternate, so that a torn write
    /// leaves the one before it.
    pub fn offset(&self) -> u64 {
        self.revision % 2 * BLOCK
    }

    /// Writes the block; `block` is one block long.
    pub fn encode(&self, block: &mut [u8]) {
        let mut put = Put::default();
        put.bytes(MAGIC);
        put.u16(VERSION);
        put.u16(0);
        put.u32(MARK_LENGTH);
        put.bytes(&self.archive);
        put.u32(self.volume);
        put.u32(0);
        put.u64(self.revision);
        put.u64(self.capacity);
        put.u64(self.frontier);
        put.u64(self.durable);
        put.packed(self.created);
        block.fill(0);
        block[..put.0.len()].copy_from_slice(&put.0);
        let sum = block_sum(block);
        block[BLOCK_SUM_AT..BLOCK_SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    }

    /// Reads one copy, or tells which rule it breaks.
    pub fn decode(block: &[u8]) -> Result<Self, &'static str> {
        if block.len() as u64 != BLOCK {
            return Err("the superblock is cut short");
        }
        let mut take = Take::new(block);
        Self::take(&mut take, block).ok_or("the superblock is cut short")?
    }

    fn take(take: &mut Take<'_>, block: &[u8]) -> Option<Result<Self, &'static str>> {
        if take.bytes(8)? != MAGIC {
            return Some(Err("no superblock"));
        }
        let version = take.u16()?;
        take.u16()?;
        take.u32()?;
        let superblock = Self {
            archive: take.id()?,
            volume: take.u32()?,
            revision: {
                take.u32()?;
                take.u64()?
            },
            capacity: take.u64()?,
            frontier: take.u64()?,
            durable: take.u64()?,
            created: take.packed()?,
        };
        let stored = u32::from_le_bytes(block[BLOCK_SUM_AT..BLOCK_SUM_AT + 4].try_into().ok()?);
        Some(if stored != block_sum(block) {
            Err("the superblock's sum is wrong")
        } else if version != VERSION {
            Err("the volume has a version that this dray does not know")
        } else if superblock.durable > superblock.frontier
            || superblock.frontier > superblock.capacity
        {
            Err("the superblock's offsets contradict each other")
        } else {
            Ok(superblock)
        })
    }

    /// The valid copy with the higher revision, or why neither is valid.
    pub fn newest(copies: &[u8]) -> Result<Self, &'static str> {
        let (a, b) = copies.split_at(copies.len().min(BLOCK as usize));
        match (Self::decode(a), Self::decode(b)) {
            (Ok(a), Ok(b)) => Ok(if a.revision > b.revision { a } else { b }),
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
            (Err(why), Err(_)) => Err(why),
        }
    }
}
