//! Devices at their limits: disks that are full, sectors that cannot be read or written.

use dray_io::Range;
use dray_sim::{BadRange, Faults, Way};

use crate::checker::{all, at_rest, restorable, volumes_sound};
use crate::mover::{Act, act};
use crate::world::{Scene, path};

const VOLUME: &str = "/archive/volume-00000001.dray";

fn bad(file: impl Into<std::path::PathBuf>, start: u64, end: u64, way: Way) -> Faults {
    let bad_ranges = vec![BadRange { path: file.into(), range: Range::new(start, end), way }];
    Faults { bad_ranges, ..Faults::default() }
}

#[test]
fn an_archive_on_a_full_disk_takes_what_fits_and_says_so() {
    for blocks in (0..400).step_by(7) {
        let scene = Scene::cramped(1, blocks);
        let sim = scene.start(1);
        let first = act(&sim, &scene.place, Act::Archive);
        let problem = |what: String| panic!("{blocks} blocks free: {what}");
        at_rest(&scene, &sim).unwrap_or_else(problem);
        all(&scene, &sim.after_crash(blocks)).unwrap_or_else(problem);
        // Releasing what was archived makes room for the rest, in the end for everything.
        for _ in 0..4 {
            act(&sim, &scene.place, Act::Release);
            act(&sim, &scene.place, Act::Archive);
        }
        volumes_sound(&sim).unwrap_or_else(problem);
        at_rest(&scene, &sim).unwrap_or_else(problem);
        act(&sim, &scene.place, Act::Restore);
        at_rest(&scene, &sim).unwrap_or_else(problem);
        let fits = first.is_clean();
        assert!(fits || blocks < 350, "{blocks} blocks free: {:?}", first.complaints());
        assert!(!fits || blocks > 200, "{blocks} blocks cannot hold it all");
    }
}

#[test]
fn a_sector_that_cannot_be_read_keeps_one_file_from_being_archived() {
    for (scene, name) in [(Scene::large(2), "large"), (Scene::small(2), "odd")] {
        let sim = scene.start(2);
        sim.set_faults(bad(path(name), 4096, 4608, Way::Read));
        let outcome = act(&sim, &scene.place, Act::Archive);
        let failed: Vec<_> = outcome.failed.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(failed, [path(name)], "{:?}", outcome.complaints());
        assert!(outcome.complaints()[0].contains(name), "{:?}", outcome.complaints());
        at_rest(&scene, &sim).unwrap();
        sim.set_faults(Faults::default());
        act(&sim, &scene.place, Act::Release);
        all(&scene, &sim).unwrap();
        volumes_sound(&sim).unwrap();
    }
}

#[test]
fn a_sector_of_the_archive_that_cannot_be_read_fails_the_file_that_is_there() {
    for (scene, start) in [(Scene::large(3), 1 << 20), (Scene::small(3), 96 << 10)] {
        let scene = scene.after(&[Act::Archive, Act::Release]);
        let sim = scene.start(3);
        sim.set_faults(bad(VOLUME, start, start + 512, Way::Read));
        let outcome = act(&sim, &scene.place, Act::Restore);
        assert_eq!(outcome.failed.len(), 1, "{:?}", outcome.complaints());
        at_rest(&scene, &sim).unwrap();
        sim.set_faults(Faults::default());
        all(&scene, &sim.after_crash(3)).unwrap();
        all(&scene, &sim).unwrap();
    }
}

#[test]
fn a_sector_that_cannot_be_written_loses_nothing() {
    for start in (0..1 << 20).step_by(60 << 10) {
        let scene = Scene::large(4);
        let sim = scene.start(4);
        sim.set_faults(bad(VOLUME, start, start + 512, Way::Write));
        let outcome = act(&sim, &scene.place, Act::Archive);
        let say = |what: String| panic!("{start}: {what} {:?}", outcome.complaints());
        at_rest(&scene, &sim).unwrap_or_else(say);
        act(&sim, &scene.place, Act::Release);
        restorable(&scene, &sim.after_crash(start)).unwrap_or_else(say);
        sim.set_faults(Faults::default());
        all(&scene, &sim).unwrap_or_else(say);
        act(&sim, &scene.place, Act::Archive);
        act(&sim, &scene.place, Act::Release);
        all(&scene, &sim).unwrap_or_else(say);
        volumes_sound(&sim).unwrap_or_else(say);
    }
}
