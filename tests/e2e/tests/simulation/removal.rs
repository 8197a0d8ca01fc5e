//! What counts in the archive after removals.

use dray_archive::Archive;
use dray_archive::catalog::Catalog;
use dray_io::{Access, Files, Kind};
use dray_sim::Sim;

use crate::checker::tail;
use crate::mover::{Act, act};
use crate::world::{LONG, Scene, path};

/// The regular files that a catalog made of the volumes lists.
fn listed(sim: &Sim, scene: &Scene) -> Vec<std::path::PathBuf> {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&Catalog::default_path(directory.path())).unwrap();
    let tier = Archive::open(sim, &scene.place).unwrap();
    catalog.catch_up(sim, &tier, &mut |_| {}).unwrap();
    let mut paths = Vec::new();
    catalog
        .list(std::path::Path::new(""), &mut |entry| {
            paths.extend((entry.kind == Kind::File).then_some(entry.path));
            Ok(())
        })
        .unwrap();
    paths
}

/// The clock of ticks stands still meanwhile.
#[test]
fn what_is_archived_again_right_after_its_removal_counts() {
    for size in [5001, (1 << 20) + 5001] {
        let scene = Scene::pair(1, size).after(&[Act::Archive]);
        for seed in 0..30 {
            let sim = scene.start(seed);
            for what in [Act::Remove, Act::Archive, Act::Remove] {
                assert!(act(&sim, &scene.place, what).is_clean(), "{what:?} of seed {seed}");
            }
            assert_eq!(listed(&sim, &scene), [""; 0].map(path), "removed: seed {seed}");
            assert!(act(&sim, &scene.place, Act::Archive).is_clean(), "seed {seed}");
            let wanted = ["other", "subject"].map(path);
            assert_eq!(listed(&sim, &scene), wanted, "archived again: seed {seed}");
        }
    }
}

/// Another process removes copies at one operation of a run that archives a file anew.
fn removed_meanwhile(size: usize, others: &[Act]) {
    let scene = Scene::pair(1, size).after(&[Act::Archive]);
    for number in 1.. {
        let sim = scene.start(number);
        let file = sim.open(&path("subject"), Access::Write).unwrap();
        sim.write_at(&file, b"changed", 1000).unwrap();
        drop(file);
        sim.advance(LONG);
        let last = sim.operations() + number;
        let (place, acts) = (scene.place.clone(), others.to_vec());
        sim.at_operation(last, move |sim| {
            for what in acts {
                act(sim, &place, what);
            }
        });
        act(&sim, &scene.place, Act::Archive);
        let trace = tail(&sim);
        if sim.operations() < last {
            return;
        }
        let listed = listed(&sim, &scene);
        for path in ["other", "subject"].map(path) {
            let marked = sim.tree().attribute(&path).is_some();
            assert!(!marked || listed.contains(&path), "{path:?} at {number}: {trace}");
        }
    }
}

#[test]
fn what_is_marked_as_archived_counts_also_if_it_was_removed_meanwhile() {
    for size in [5001, (1 << 20) + 5001] {
        removed_meanwhile(size, &[Act::Remove]);
        removed_meanwhile(size, &[Act::Archive, Act::Remove]);
    }
}
