//! What is to be done, the same for every engine.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::OFlags;

/// Reads at places that depend on their number alone.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    pub(crate) file: PathBuf,
    pub(crate) count: u64,
    pub(crate) depth: u32,
    /// Bytes of each.
    pub(crate) block: u32,
    blocks: u64,
}

impl Reads {
    pub(crate) fn new(file: PathBuf, count: u64, depth: u32, block: u32) -> Result<Self> {
        let blocks = size(&file)? / u64::from(block);
        ensure!(blocks > 0, "{}: less than one block of {block} bytes", file.display());
        ensure!(depth > 0, "--depth: at least one request has to be under way");
        Ok(Self { file, count, depth, block, blocks })
    }

    /// Offset in bytes of a read.
    pub(crate) fn place(&self, number: u64) -> u64 {
        // The finalizer of splitmix64 spreads neighbours over all of the file.
        let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % self.blocks * u64::from(self.block)
    }

    pub(crate) fn open(&self) -> Result<File> {
        open(&self.file, false)
    }
}

/// All blocks of one file into another.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) depth: u32,
    /// Bytes of each request.
    pub(crate) block: u32,
    /// Number of requests.
    pub(crate) blocks: u64,
}

impl Copy {
    pub(crate) fn new(source: PathBuf, target: PathBuf, depth: u32, block: u32) -> Result<Self> {
        let bytes = size(&source)?;
        let whole = bytes.is_multiple_of(u64::from(block));
        ensure!(whole, "{}: {bytes} bytes are not whole blocks of {block}", source.display());
        ensure!(size(&target)? == bytes, "{}: not of the same size", target.display());
        ensure!(depth > 0, "--depth: at least one request has to be under way");
        Ok(Self { source, target, depth, block, blocks: bytes / u64::from(block) })
    }

    /// Offset in bytes of a block.
    pub(crate) fn place(&self, number: u64) -> u64 {
        number * u64::from(self.block)
    }

    pub(crate) fn open(&self) -> Result<(File, File)> {
        Ok((open(&self.source, false)?, open(&self.target, true)?))
    }
}

/// A request that moved less than it was to is an error: nothing here is at the end of a file.
pub(crate) fn moved(what: &str, at: u64, bytes: usize, block: u32) -> Result<()> {
    ensure!(bytes == block as usize, "{what} at {at}: {bytes} of {block} bytes");
    Ok(())
}

fn size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).with_context(|| path.display().to_string())?.len())
}

fn open(path: &Path, write: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    let flags = OFlags::DIRECT.bits().cast_signed();
    let file = options.read(!write).write(write).custom_flags(flags).open(path);
    file.with_context(|| format!("open {} (O_DIRECT)", path.display()))
}
