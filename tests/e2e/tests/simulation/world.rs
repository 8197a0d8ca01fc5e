//! Small worlds: a tree with every shape of file, and an archive beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dray_archive::{Archive, VolumePlace};
use dray_io::{Kind, Time};
use dray_sim::{Options, Sim};

use crate::mover::{Act, act};

pub(crate) const DATA: &str = "/data";
pub(crate) const ARCHIVE: &str = "/archive";
/// Bytes per request: files over 1 MiB take many.
pub(crate) const UNIT: u32 = 128 << 10;
/// Longer than any window in which the mover does not trust times.
pub(crate) const LONG: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;
const SMALL: usize = 150_001;

/// A file as its owner left it.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) path: PathBuf,
    pub(crate) content: Arc<[u8]>,
    pub(crate) modified: Time,
}

/// A world at rest, and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    base: Sim,
    pub(crate) files: Vec<Expected>,
    pub(crate) place: VolumePlace,
}

/// `DRAY_SIM_ROUNDS`, 1 if it is not set.
pub(crate) fn rounds() -> u64 {
    std::env::var("DRAY_SIM_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

/// Bytes without a zero among them, so that data lost is told from data.
pub(crate) fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next().max(1)).collect()
}

impl Scene {
    /// Files that are packed: every shape that alignment and holes can give.
    pub(crate) fn small(seed: u64) -> Self {
        Self::shapes(seed, MIB)
    }

    pub(crate) fn shapes(seed: u64, volume_bytes: u64) -> Self {
        let scene = Self::empty(seed, volume_bytes);
        let tree = scene.base.tree();
        for (name, size) in
            [("empty", 0), ("tiny", 10), ("block", 4096), ("aligned", 12288), ("odd", 8315)]
        {
            tree.write_file(path(name), &content(seed ^ size, size as usize));
        }
        tree.write_file(path("sub/inner"), &content(seed + 1, 70_001));
        let (a, b) = (content(seed + 2, 4096), content(seed + 3, 8300));
        tree.write_sparse(path("hole-first"), &[(12288, &b)], 12288 + 8300);
        tree.write_sparse(path("hole-between"), &[(0, &a), (16384, &b)], 16384 + 8300);
        tree.write_sparse(path("hole-last"), &[(0, &a)], 40_000);
        tree.write_sparse(path("hole-only"), &[], 20_000);
        tree.write_file(path("sub/linked"), &content(seed + 4, 4500));
        tree.link(path("sub/linked"), path("link"));
        tree.symlink(path("symlink"), b"tiny");
        scene.settled()
    }

    /// Files of both kinds on a disk with room for so many more blocks.
    pub(crate) fn cramped(seed: u64, blocks: u64) -> Self {
        const USED: u64 = 16 + 258 + 37 + 2;
        let capacity_blocks = Some(USED + blocks);
        let scene = Self::with(seed, 4 * MIB, Options { capacity_blocks, ..Options::default() });
        scene.base.tree().write_file(path("large"), &content(seed, MIB as usize + 5001));
        scene.base.tree().write_file(path("small"), &content(seed + 1, SMALL));
        scene.base.tree().write_file(path("tiny"), &content(seed + 2, 5000));
        assert!(scene.base.tree().disk_use() <= USED * 4096, "the world fits");
        scene.settled()
    }

    /// Files that the rings move, and one that is packed beside them.
    pub(crate) fn large(seed: u64) -> Self {
        let scene = Self::empty(seed, 2 * MIB);
        let tree = scene.base.tree();
        tree.write_file(path("large"), &content(seed, MIB as usize + 5001));
        let (a, b) = (content(seed + 1, 70_000), content(seed + 2, 8192));
        let stretches = [(8192, a.as_slice()), (MIB - 4096, b.as_slice())];
        tree.write_sparse(path("holes"), &stretches, MIB + 300_000);
        tree.write_file(path("tiny"), &content(seed + 3, 100));
        scene.settled()
    }

    /// A file of `size` bytes that somebody will meddle with, and a bystander.
    pub(crate) fn pair(seed: u64, size: usize) -> Self {
        Self::pair_named(seed, "subject", size)
    }

    pub(crate) fn pair_named(seed: u64, name: &str, size: usize) -> Self {
        let scene = Self::empty(seed, 4 * MIB);
        scene.base.tree().write_file(path(name), &content(seed, size));
        scene.base.tree().write_file(path("other"), &content(seed + 1, 5000));
        scene.settled()
    }

    /// Files of 4 MiB and a bit, in one volume.
    pub(crate) fn heavy(seed: u64, files: u64) -> Self {
        let scene = Self::empty(seed, 256 * MIB);
        for number in 0..files {
            let bytes = content(seed + number, 4 * MIB as usize + 5001);
            scene.base.tree().write_file(path(&format!("heavy-{number}")), &bytes);
        }
        scene.settled()
    }

    fn empty(seed: u64, volume_bytes: u64) -> Self {
        Self::with(seed, volume_bytes, Options::default())
    }

    fn with(seed: u64, volume_bytes: u64, options: Options) -> Self {
        let options = Options { slots: 4, slot_bytes: UNIT, ..options };
        let base = Sim::with(seed, options);
        base.tree().mkdir_all(DATA);
        base.tree().mkdir_all(ARCHIVE);
        let place = VolumePlace::Directory { path: ARCHIVE.into(), volume_bytes };
        Archive::create(&base, &place, [7; 16], &[]).unwrap();
        Self { base, files: Vec::new(), place }
    }

    fn settled(mut self) -> Self {
        self.base.advance(LONG);
        self.files = self.look(&self.base);
        self
    }

    /// The regular files of a world as they are now.
    fn look(&self, sim: &Sim) -> Vec<Expected> {
        let tree = sim.tree();
        let is_file = |path: &PathBuf| path.starts_with(DATA) && tree.stat(path).kind == Kind::File;
        let known = |path: PathBuf| Expected {
            content: tree.read_file(&path).into(),
            modified: tree.stat(&path).modified,
            path,
        };
        tree.paths().into_iter().filter(is_file).map(known).collect()
    }

    /// A copy of the world at rest, with chances of its own.
    pub(crate) fn start(&self, seed: u64) -> Sim {
        self.base.after_crash(seed)
    }

    /// The scene after some runs, none of which may fail.
    pub(crate) fn after(&self, acts: &[Act]) -> Self {
        let sim = self.start(99);
        for what in acts {
            let outcome = act(&sim, &self.place, *what);
            assert!(outcome.is_clean(), "{what:?}: {:?}", outcome.complaints());
            sim.advance(LONG);
        }
        self.onward(&sim)
    }

    /// The same tree, going on from another world at rest.
    fn onward(&self, sim: &Sim) -> Self {
        sim.advance(LONG);
        Self { base: sim.after_crash(0), ..self.clone() }
    }

    pub(crate) fn expected(&self, name: &str) -> &Expected {
        let path = path(name);
        self.files.iter().find(|file| file.path == path).expect("the scene has this file")
    }
}

/// The path of a file of a scene.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DATA).join(name)
}
