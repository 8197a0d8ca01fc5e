//! Random work, crashed at every step: an image made by replaying the journal is always sound, and
//! after a full sync it is what the processes saw.

use std::path::{Path, PathBuf};

use dray_io::{Access, Files, Range, Stat};
use dray_sim::{Options, Sim, SimFile};

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

type Everything = Vec<(PathBuf, Stat, Vec<u8>, Option<Vec<u8>>, Vec<Range>)>;

fn everything(sim: &Sim) -> Everything {
    let tree = sim.tree();
    let all = tree.paths().into_iter();
    all.map(|path| {
        let (stat, bytes) = (tree.stat(&path), tree.read_file(&path));
        let (mark, data) = (tree.attribute(&path), tree.data_ranges(&path));
        (path, stat, bytes, mark, data)
    })
    .collect()
}

/// One step of random work. Errors are part of it: names are taken, or gone, or the disk is full.
fn step(sim: &Sim, open: &mut Vec<SimFile>, chance: &mut Chance) {
    let name = |n: u64| PathBuf::from(format!("/d/{n}"));
    let (path, other) = (name(chance.below(5)), name(chance.below(5)));
    let (start, len) = (chance.below(20_000), 1 + chance.below(9000));
    let range = Range::new(start, start + len);
    match chance.below(4) {
        0 => open.extend(sim.create(&path, false)),
        1 => open.extend(sim.open(&path, Access::Write)),
        2 => drop(sim.rename(&path, &other)),
        _ => drop(sim.unlink(&path)),
    }
    if open.len() > 4 {
        open.swap_remove(chance.below(4) as usize);
    }
    for _ in 0..4 {
        let Some(file) = open.get(chance.below(5) as usize) else { continue };
        let _ = match chance.below(8) {
            0 => sim.allocate(file, range),
            1 => sim.punch(file, range),
            2 => sim.truncate(file, start),
            3 => sim.set_attribute(file, &start.to_le_bytes()),
            4 if chance.below(4) == 0 => sim.sync(file),
            _ => sim.write_at(file, &vec![len as u8; len as usize], start),
        };
    }
}

#[test]
fn every_crash_leaves_a_sound_image() {
    for seed in 0..20 {
        let options = Options { capacity_blocks: Some(40), ..Options::default() };
        let (sim, mut open, mut chance) = (Sim::with(seed, options), Vec::new(), Chance(seed));
        sim.tree().mkdir_all("/d");
        for turn in 0..200 {
            step(&sim, &mut open, &mut chance);
            let after = sim.after_crash(turn);
            for (_, stat, bytes, ..) in everything(&after) {
                assert_eq!((stat.links, stat.size), (1, bytes.len() as u64));
            }
            assert!(after.check_unsynced().is_empty());
            if turn % 50 == 49 {
                sim.reboot();
                open.clear();
                open.extend(sim.create(Path::new("/d/9"), false));
            }
        }
    }
}

#[test]
fn after_a_full_sync_a_crash_changes_nothing() {
    for seed in 0..20 {
        let (sim, mut open, mut chance) = (Sim::new(seed), Vec::new(), Chance(seed));
        sim.tree().mkdir_all("/d");
        sim.tree().write_file("/s", b"");
        let any = sim.open(Path::new("/s"), Access::Write).unwrap();
        for turn in 0..100 {
            step(&sim, &mut open, &mut chance);
            if turn % 7 == 0 {
                sim.sync_fs(&any).unwrap();
                assert_eq!(everything(&sim), everything(&sim.after_crash(turn)));
            }
        }
    }
}
