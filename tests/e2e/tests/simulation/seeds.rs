//! The simulation itself: one seed gives one run, and orders that lose data are caught.

use std::path::Path;

use dray_io::{Access, Files, PackedTime, Range, RangeSet};
use dray_mover::{Attribute, Kept};
use dray_sim::{Faults, Sim, Step};

use crate::checker::{Check, at_rest};
use crate::mover::{Act, act};
use crate::world::{Scene, path};

fn run(scene: &Scene, seed: u64) -> (Vec<Step>, Vec<Vec<u8>>) {
    let sim = scene.start(seed);
    sim.set_faults(Faults { short_percent: 20, ..Faults::default() });
    for what in [Act::Archive, Act::Release, Act::RestoreRange(Range::new(5000, 90_000))] {
        assert!(act(&sim, &scene.place, what).is_clean(), "{what:?}");
    }
    let crashed = sim.after_crash(seed);
    let read = |path| crashed.tree().read_file(path);
    let is_file = |path: &std::path::PathBuf| crashed.tree().stat(path).kind == dray_io::Kind::File;
    let files = crashed.tree().paths().into_iter().filter(is_file).map(read).collect();
    (sim.trace(), files)
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    for scene in [Scene::small(1), Scene::large(1)] {
        for seed in 0..3 {
            let (first, second) = (run(&scene, seed), run(&scene, seed));
            assert_eq!(first.0, second.0, "seed {seed}");
            assert!(first.1 == second.1, "seed {seed}: contents differ");
        }
    }
    let scene = Scene::large(1);
    assert_ne!(run(&scene, 1).0, run(&scene, 2).0, "a seed changes something");
}

/// Runs `deed` on an archived world and looks at what crashes before each operation, and after
/// the last, leave.
fn crashes(deed: impl FnOnce(&Sim, &Path, &Attribute)) -> Vec<Check> {
    let scene = Scene::small(7).after(&[Act::Archive]);
    crashes_in(&scene, deed)
}

fn crashes_in(scene: &Scene, deed: impl FnOnce(&Sim, &Path, &Attribute)) -> Vec<Check> {
    let sim = scene.start(7);
    let subject = path("aligned");
    let attribute = sim.tree().attribute(&subject).expect("it was archived");
    let attribute = Attribute::decode(&attribute).expect("a whole attribute");
    let checks = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (watched, kept) = (scene.clone(), checks.clone());
    sim.watch(move |sim, _| {
        for seed in 0..8 {
            kept.lock().unwrap().push(at_rest(&watched, &sim.after_crash(seed)));
        }
    });
    deed(&sim, &subject, &attribute);
    sim.unwatch();
    let mut checks = checks.lock().unwrap().clone();
    checks.extend((0..8).map(|seed| at_rest(scene, &sim.after_crash(seed))));
    checks
}

fn away(attribute: &Attribute, moving: bool) -> Vec<u8> {
    let stamp = PackedTime::default();
    Attribute { kept: Kept::Released, moving, remains: moving, stamp, ..attribute.clone() }.encode()
}

#[test]
fn a_release_that_punches_before_it_notes_so_is_caught() {
    let checks = crashes(|sim, path, attribute| {
        let file = sim.open(path, Access::Write).unwrap();
        sim.punch(&file, Range::new(0, attribute.size)).unwrap();
        sim.set_attribute(&file, &away(attribute, false)).unwrap();
        sim.sync(&file).unwrap();
    });
    assert!(checks.iter().any(Check::is_err), "{checks:?}");
}

#[test]
fn a_restore_that_notes_its_end_before_the_data_is_durable_is_caught() {
    let scene = Scene::small(7).after(&[Act::Archive, Act::Release]);
    let data = scene.expected("aligned").content.clone();
    let restore = |durable_first: bool| {
        let data = data.clone();
        crashes_in(&scene, move |sim, path, attribute| {
            let file = sim.open(path, Access::Write).unwrap();
            let moving = Attribute { moving: true, remains: true, ..attribute.clone() };
            sim.set_attribute(&file, &moving.encode()).unwrap();
            sim.write_at(&file, &data, 0).unwrap();
            if durable_first {
                sim.sync(&file).unwrap();
            }
            let present = RangeSet::default();
            let whole = Attribute { kept: Kept::Archived, present, ..attribute.clone() };
            sim.set_attribute(&file, &whole.encode()).unwrap();
            // A flush of something else carries the journal, and the attribute with it.
            let other = sim.open(&crate::world::path("tiny"), Access::Write).unwrap();
            sim.set_attribute(&other, &sim.tree().attribute("/data/tiny").unwrap()).unwrap();
            sim.sync(&other).unwrap();
        })
    };
    assert!(restore(false).iter().any(Check::is_err));
    assert!(restore(true).iter().all(Check::is_ok), "{:?}", restore(true));
}
