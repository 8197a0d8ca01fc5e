use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::interrupt;

const CHUNK: usize = 4 << 20;

/// xoshiro256++: incompressible, repeatable, and faster than the device it feeds.
pub(crate) struct Random([u64; 4]);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut mix = seed;
        Self(std::array::from_fn(|_| splitmix(&mut mix)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes `size` incompressible bytes, durable and really on the device.
pub(crate) fn make_file(path: &Path, size: u64, seed: u64) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    let mut random = Random::new(seed);
    let mut chunk = vec![0; CHUNK];
    let mut left = size;
    while left > 0 {
        interrupt::check()?;
        let part = &mut chunk[..left.min(CHUNK as u64) as usize];
        random.fill(part);
        file.write_all(part).with_context(|| format!("write {}", path.display()))?;
        left -= part.len() as u64;
    }
    file.sync_all().with_context(|| format!("fsync {}", path.display()))?;
    let meta = file.metadata()?;
    let allocated = meta.blocks() * 512;
    ensure!(meta.len() == size, "{} has {} bytes, not {size}", path.display(), meta.len());
    // Holes or compression below would make every later reading of it a fiction.
    ensure!(allocated >= size / 10 * 9, "{} occupies only {allocated} bytes", path.display());
    Ok(())
}

/// Fails at the first byte where the files differ.
pub(crate) fn compare(a: &Path, b: &Path) -> Result<()> {
    let open = |path: &Path| File::open(path).with_context(|| format!("open {}", path.display()));
    let (mut left, mut right) = (open(a)?, open(b)?);
    let (lengths, at) = ((left.metadata()?.len(), right.metadata()?.len()), b.display());
    ensure!(lengths.0 == lengths.1, "{at} has {} bytes, not {}", lengths.1, lengths.0);
    let (mut one, mut two) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut offset = 0;
    while offset < lengths.0 {
        interrupt::check()?;
        let n = (lengths.0 - offset).min(CHUNK as u64) as usize;
        left.read_exact(&mut one[..n]).with_context(|| format!("read {}", a.display()))?;
        right.read_exact(&mut two[..n]).with_context(|| format!("read {at}"))?;
        if let Some(i) = one[..n].iter().zip(&two[..n]).position(|(x, y)| x != y) {
            bail!("{at} differs from {} at byte {}", a.display(), offset + i as u64);
        }
        offset += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_repeatable_and_compared_byte_by_byte() {
        let dir = tempfile::tempdir_in(".").expect("temporary directory");
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let size = CHUNK as u64 + 12_345;
        make_file(&a, size, 7).expect("first file");
        make_file(&b, size, 7).expect("second file");
        compare(&a, &b).expect("same seed, same bytes");

        let mut bytes = std::fs::read(&b).expect("read back");
        bytes[CHUNK + 99] ^= 1;
        std::fs::write(&b, &bytes).expect("write one bit wrong");
        let error = compare(&a, &b).expect_err("one bit is wrong").to_string();
        assert!(error.contains(&format!("at byte {}", CHUNK + 99)), "{error}");

        std::fs::write(&b, &bytes[1..]).expect("write one byte less");
        assert!(compare(&a, &b).is_err());
    }
}
