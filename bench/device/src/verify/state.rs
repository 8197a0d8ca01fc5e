//! What a verification knows, as a file: docs/bench-device.md has the layout.

use std::fs;
use std::io;
use std::path::Path;

use dray_io::sum::crc32c;

use crate::verify::map::{Block, Part};

const MAGIC: [u8; 8] = *b"drayvst2";

/// What has to be known to look at the blocks later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// Tells the blocks of this run from those of others.
    pub(crate) run: u64,
    /// Bytes per write.
    pub(crate) block: u32,
    /// Bytes per logical block, each of which has a head of its own.
    pub(crate) unit: u32,
    pub(crate) parts: Vec<Part>,
}

impl State {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.run.to_le_bytes());
        bytes.extend(self.block.to_le_bytes());
        bytes.extend(self.unit.to_le_bytes());
        bytes.extend((self.parts.len() as u64).to_le_bytes());
        for part in &self.parts {
            bytes.extend(u64::from(part.target).to_le_bytes());
            bytes.extend(part.from.to_le_bytes());
            bytes.extend((part.blocks.len() as u64).to_le_bytes());
            for block in &part.blocks {
                bytes.extend(block.covered.to_le_bytes());
                bytes.extend(block.submitted.to_le_bytes());
            }
        }
        bytes.extend(crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// `None` if it is not such a file, or not whole.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32c(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut rest = body.strip_prefix(&MAGIC)?;
        let mut next = || {
            let (number, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(u64::from_le_bytes(*number))
        };
        let run = next()?;
        let sizes = next()?;
        let mut parts = Vec::new();
        for _ in 0..next()? {
            let target = u16::try_from(next()?).ok()?;
            let from = next()?;
            let mut blocks = Vec::new();
            for _ in 0..next()? {
                blocks.push(Block { covered: next()?, submitted: next()? });
            }
            parts.push(Part { target, from, blocks });
        }
        let (block, unit) = (sizes as u32, (sizes >> 32) as u32);
        (block > 0 && unit > 0 && block.is_multiple_of(unit)).then_some(Self {
            run,
            block,
            unit,
            parts,
        })
    }

    /// Whole or not at all, and durable.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, self.to_bytes())?;
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)
    }

    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let wrong = || {
            io::Error::new(io::ErrorKind::InvalidData, "it is no whole state file of this version")
        };
        Self::from_bytes(&fs::read(path)?).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_and_a_damaged_one_does_not() {
        let block = |covered, submitted| Block { covered, submitted };
        let state = State {
            run: 77,
            block: 4096,
            unit: 512,
            parts: vec![
                Part { target: 0, from: 8192, blocks: vec![block(1, 2), block(0, 0)] },
                Part { target: 3, from: 0, blocks: vec![block(5, 5)] },
            ],
        };
        let bytes = state.to_bytes();
        assert_eq!(State::from_bytes(&bytes), Some(state));
        for cut in 0..bytes.len() {
            assert_eq!(State::from_bytes(&bytes[..cut]), None);
            let mut damaged = bytes.clone();
            damaged[cut] ^= 4;
            assert_eq!(State::from_bytes(&damaged), None);
        }
    }
}
