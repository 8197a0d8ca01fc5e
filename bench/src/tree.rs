use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::{Timespec, Timestamps};

use crate::data::Random;
use crate::interrupt;

const PER_DIRECTORY: u32 = 100;
/// Whole seconds: the archive format `tar` writes by default keeps no finer time.
const FIRST_MTIME: i64 = 1_600_000_000;

/// A tree of small files that can be made again, and checked, from its numbers alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    pub(crate) count: u32,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) seed: u64,
}

impl Tree {
    pub(crate) fn bytes(&self) -> u64 {
        (0..self.count).map(|i| self.file(i).1).sum()
    }

    pub(crate) fn make(&self, root: &Path) -> Result<()> {
        let mut buffer = Vec::new();
        for i in 0..self.count {
            if i % PER_DIRECTORY == 0 {
                interrupt::check()?;
                let dir = root.join(directory(i));
                fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
            }
            self.contents(i, &mut buffer);
            let path = root.join(name(i));
            self.write(&path, i, &buffer).with_context(|| format!("make {}", path.display()))?;
        }
        Ok(())
    }

    /// Every file there, nothing else, with the bytes, mode and time it was made with.
    pub(crate) fn check(&self, root: &Path) -> Result<()> {
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for i in 0..self.count {
            if i % PER_DIRECTORY == 0 {
                interrupt::check()?;
            }
            let path = root.join(name(i));
            self.contents(i, &mut expected);
            found.clear();
            let mut file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
            std::io::Read::read_to_end(&mut file, &mut found)
                .with_context(|| format!("read {}", path.display()))?;
            ensure!(found == expected, "{} has other contents", path.display());
            let meta = file.metadata()?;
            ensure!(meta.mtime() == mtime(i), "{} has another mtime", path.display());
            ensure!(meta.mode() & 0o7777 == mode(i), "{} has another mode", path.display());
        }
        let files = usage(root)?.files;
        ensure!(files == u64::from(self.count), "{files} files, not {}", self.count);
        Ok(())
    }

    fn write(&self, path: &Path, i: u32, contents: &[u8]) -> Result<()> {
        let mut file = File::create(path)?;
        file.write_all(contents)?;
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode(i)))?;
        let time = Timespec { tv_sec: mtime(i), tv_nsec: 0 };
        rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })?;
        Ok(())
    }

    fn file(&self, i: u32) -> (Random, u64) {
        let mut random = Random::new(self.seed ^ (u64::from(i) << 32));
        let size = self.min + random.next() % (self.max - self.min + 1);
        (random, size)
    }

    fn contents(&self, i: u32, buffer: &mut Vec<u8>) {
        let (mut random, size) = self.file(i);
        buffer.resize(size as usize, 0);
        random.fill(buffer);
    }
}

fn directory(i: u32) -> PathBuf {
    PathBuf::from(format!("d{:05}", i / PER_DIRECTORY))
}

fn name(i: u32) -> PathBuf {
    directory(i).join(format!("f{i:07}"))
}

fn mtime(i: u32) -> i64 {
    FIRST_MTIME + i64::from(i)
}

fn mode(i: u32) -> u32 {
    if i.is_multiple_of(2) { 0o644 } else { 0o600 }
}

/// What lies below a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) files: u64,
    pub(crate) allocated: u64,
}

pub(crate) fn usage(path: &Path) -> Result<Usage> {
    let meta = fs::symlink_metadata(path).with_context(|| format!("stat {}", path.display()))?;
    if !meta.is_dir() {
        return Ok(Usage { files: 1, allocated: meta.blocks() * 512 });
    }
    let mut total = Usage::default();
    for entry in fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        let below = usage(&entry?.path())?;
        total.files += below.files;
        total.allocated += below.allocated;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_then_checked_then_damaged() {
        let dir = tempfile::tempdir_in(".").expect("temporary directory");
        let tree = Tree { count: 250, min: 1, max: 9000, seed: 3 };
        tree.make(dir.path()).expect("make");
        tree.check(dir.path()).expect("what was made is right");
        assert_eq!(usage(dir.path()).expect("walk").files, 250);
        let length = |i| fs::metadata(dir.path().join(name(i))).expect("stat").len();
        assert_eq!((0..250).map(length).sum::<u64>(), tree.bytes());

        fs::write(dir.path().join("extra"), "x").expect("add a file");
        assert!(tree.check(dir.path()).is_err(), "an extra file was overlooked");
        fs::remove_file(dir.path().join("extra")).expect("remove it");
        fs::write(dir.path().join(name(249)), "x").expect("damage a file");
        assert!(tree.check(dir.path()).is_err(), "damage was overlooked");
    }
}
