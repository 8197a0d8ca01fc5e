//! Copies through rings that move less than they are asked to, or ask to be asked again.

use std::path::Path;

use dray_io::{Access, Files};
use dray_mover::{Copied, CopyOptions, Error, Run, Side, Tally, Watch, copy};
use dray_sim::{Failure, Faults, Options, Sim};

use crate::checker::difference;
use crate::world::{UNIT, content, rounds};

struct Quiet;

impl Watch for Quiet {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }
}

/// Every border there is: of sectors, blocks, requests, and several of them.
fn sizes() -> impl Iterator<Item = usize> {
    let unit = UNIT as usize;
    let borders = [0, 512, 4096, unit, 2 * unit, 3 * unit + 4096];
    let around = |at: usize| [at.saturating_sub(1), at, at + 1];
    borders.into_iter().flat_map(around).chain([9 * unit + 777])
}

fn world(seed: u64) -> Sim {
    Sim::with(seed, Options { slots: 4, slot_bytes: UNIT, ..Options::default() })
}

/// Copies `/d/source` to `/d/target`.
fn copy_all(sim: &Sim, is_lun: bool) -> Result<Copied, Error> {
    let (from, to) = (Path::new("/d/source"), Path::new("/d/target"));
    let source = sim.open(from, Access::ReadDirect).unwrap();
    let target = sim.open(to, Access::WriteDirect).unwrap();
    let size = |path| sim.tree().stat(path).size;
    let source = Side { file: &source, path: from, size: size(from), is_lun: false };
    let target = Side { file: &target, path: to, size: size(to), is_lun };
    let run = Run { tally: &Tally::default(), watch: &Quiet };
    copy(sim, &source, &target, CopyOptions { unit: UNIT, verify: true }, &run)
}

#[test]
fn a_copy_is_equal_however_the_ring_behaves() {
    for size in sizes() {
        for seed in 0..4 * rounds() {
            let sim = world(seed);
            let bytes = content(seed, size);
            sim.tree().write_file("/d/source", &bytes);
            sim.tree().write_file("/d/target", &[]);
            let short_percent = [0, 20, 40][seed as usize % 3];
            let again = Faults::fail_at(3 + seed * 5, Failure::Eagain);
            sim.set_faults(Faults { short_percent, ..again });
            let copied = copy_all(&sim, false).unwrap();
            let what = difference(&sim.tree().read_file("/d/target"), &bytes);
            assert_eq!(what, None, "{size} bytes, seed {seed}");
            assert_eq!(copied.sum, dray_io::sum::crc32c(&bytes), "{size} bytes, seed {seed}");
            assert_eq!(copied.bytes + copied.holes, size as u64);
            let after = sim.after_crash(seed);
            let what = difference(&after.tree().read_file("/d/target"), &bytes);
            assert_eq!(what, None, "{size} bytes, seed {seed}, after a crash");
        }
    }
}

#[test]
fn a_copy_to_a_lun_leaves_what_lies_behind_it() {
    for size in sizes() {
        let sim = world(size as u64);
        let room = (size + 8192).next_multiple_of(4096);
        let (bytes, old) = (content(1, size), content(2, room));
        sim.tree().write_file("/d/source", &bytes);
        sim.tree().write_file("/d/target", &old);
        sim.set_faults(Faults { short_percent: 20, ..Faults::default() });
        copy_all(&sim, true).unwrap();
        let wanted = [&bytes, &old[size..]].concat();
        let what = difference(&sim.tree().read_file("/d/target"), &wanted);
        assert_eq!(what, None, "{size} bytes");
    }
}

#[test]
fn holes_stay_holes() {
    let sim = world(3);
    let (a, b) = (content(3, 4096), content(4, 9000));
    let size = 1 << 20;
    sim.tree().write_sparse("/d/source", &[(8192, &a), (500_000 / 4096 * 4096, &b)], size);
    sim.tree().write_file("/d/target", &[]);
    let copied = copy_all(&sim, false).unwrap();
    let bytes = sim.tree().read_file("/d/source");
    assert_eq!(difference(&sim.tree().read_file("/d/target"), &bytes), None);
    assert_eq!(copied.sum, dray_io::sum::crc32c(&bytes));
    assert!(copied.holes > size / 2 && sim.tree().data_ranges("/d/target").len() == 2);
}

#[test]
fn a_copy_that_fails_says_so() {
    for (failure, persistent) in
        [(Failure::Eio, false), (Failure::NoSpace, true), (Failure::Eio, true)]
    {
        for number in (1..).step_by((3 / rounds()).max(1) as usize) {
            let sim = world(number);
            let bytes = content(5, 3 * UNIT as usize + 5);
            sim.tree().write_file("/d/source", &bytes);
            sim.tree().write_file("/d/target", &[]);
            let plan = Faults { persistent, ..Faults::fail_at(number + 2, failure) };
            sim.set_faults(plan);
            let outcome = copy_all(&sim, false);
            if !sim.fault_fired() {
                assert_eq!(difference(&sim.tree().read_file("/d/target"), &bytes), None);
                break;
            }
            assert!(outcome.is_err(), "{failure:?} at {number} is kept from the user");
            assert_eq!(difference(&sim.tree().read_file("/d/source"), &bytes), None);
        }
    }
}
