//! The power is cut before every operation of every run, and again during the recovery.

use dray_io::{Operation, Range};
use dray_mover::Error;
use dray_sim::{Faults, Sim, is_crash};

use crate::checker::{all, at_rest, restorable, tail, volumes_sound};
use crate::mover::{Act, act};
use crate::world::{Scene, rounds};

/// Crashes looked at per operation.
const SEEDS: u64 = 2;

/// Runs `acts` once and looks at what a crash before each operation may leave. Every `stride`
/// operations the recovery is crashed in turn.
fn crash_everywhere(scene: &Scene, seed: u64, stride: u64, acts: &[Act]) {
    let sim = scene.start(seed);
    let first = sim.operations();
    let watched = scene.clone();
    sim.watch(move |sim, step| {
        let number = step.number - first;
        for chance in 0..SEEDS * rounds() {
            let crashed = sim.after_crash(seed ^ number << 8 ^ chance);
            let checked = at_rest(&watched, &crashed)
                .and_then(|()| volumes_sound(&crashed))
                .and_then(|()| restorable(&watched, &crashed));
            if let Err(what) = checked {
                let done = tail(sim);
                panic!(
                    "seed {seed}, crash before {number} ({step}), chance {chance}: {what}{done}"
                );
            }
        }
        if number.is_multiple_of((stride / rounds()).max(1)) {
            let crashed = sim.after_crash(seed ^ number << 8);
            crash_recovery(&watched, &crashed, seed, number);
        }
    });
    for what in acts {
        let outcome = act(&sim, &scene.place, *what);
        assert!(outcome.is_clean(), "{what:?}: {:?}", outcome.complaints());
        sim.advance(crate::world::LONG);
    }
    sim.unwatch();
    all(scene, &sim).unwrap();
}

/// Goes on after a crash with a whole cycle, and crashes that as well.
fn crash_recovery(scene: &Scene, sim: &Sim, seed: u64, number: u64) {
    let first = sim.operations();
    let watched = scene.clone();
    let stride = (29 / rounds()).max(1);
    sim.watch(move |sim, step| {
        let again = step.number - first;
        if !(again + number).is_multiple_of(stride) {
            return;
        }
        let crashed = sim.after_crash(seed ^ again << 16);
        if let Err(what) = all(&watched, &crashed).and_then(|()| volumes_sound(&crashed)) {
            let done = tail(sim);
            panic!("seed {seed}, crash at {number}, again before {again} ({step}): {what}{done}");
        }
    });
    for what in [Act::Archive, Act::Release, Act::Restore] {
        let outcome = act(sim, &scene.place, what);
        let complaints = outcome.complaints();
        assert!(
            outcome.is_clean(),
            "seed {seed}, crash at {number}, {what:?}: {complaints:?}{}",
            tail(sim)
        );
    }
    sim.unwatch();
    if let Err(what) = all(scene, sim) {
        panic!("seed {seed}, crash at {number}, after recovery: {what}");
    }
}

#[test]
fn a_crash_in_a_cycle_of_small_files_loses_nothing() {
    crash_everywhere(&Scene::small(1), 1, 41, &[Act::Archive, Act::Release, Act::Restore]);
}

#[test]
fn a_crash_in_a_cycle_of_large_files_loses_nothing() {
    crash_everywhere(&Scene::large(2), 2, 41, &[Act::Archive, Act::Release, Act::Restore]);
}

#[test]
fn a_crash_while_ranges_are_restored_loses_nothing() {
    for (scene, range) in [
        (Scene::large(3), Range::new(70_000, 200_001)),
        (Scene::small(3), Range::new(4000, 66_000)),
    ] {
        let scene = scene.after(&[Act::Archive, Act::Release]);
        let acts = [Act::RestoreRange(range), Act::Release, Act::ReadNext(range), Act::Restore];
        crash_everywhere(&scene, 3, 53, &acts);
    }
}

#[test]
fn a_crash_while_copies_are_removed_loses_nothing() {
    let scene = Scene::small(4).after(&[Act::Archive]);
    crash_everywhere(&scene, 4, 17, &[Act::Remove, Act::Archive]);
}

/// Whether an error may end a run that lost its power.
fn is_due(error: &Error) -> bool {
    match error {
        // After the flush that failed, the volume itself refuses.
        Error::Archive(dray_archive::Error::Broken { .. }) => true,
        Error::NoRing(cause) => is_crash(cause),
        other => is_crash(other),
    }
}

#[test]
fn a_run_without_power_ends_in_order() {
    for (scene, stride) in [(Scene::small(5), 7), (Scene::large(5), 5)] {
        for what in [Act::Archive, Act::Release, Act::Restore] {
            let scene = match what {
                Act::Release => scene.after(&[Act::Archive]),
                Act::Restore => scene.after(&[Act::Archive, Act::Release]),
                _ => scene.clone(),
            };
            for number in (1..).step_by((stride / rounds()).max(1) as usize) {
                let sim = scene.start(number);
                sim.set_faults(Faults::crash_at(number));
                let outcome = act(&sim, &scene.place, what);
                if !sim.crashed() {
                    break;
                }
                // A lease not given back, and a last flush that finds nothing to open, are no news.
                let last = sim.trace().last().map(|step| step.operation);
                let quiet = matches!(last, Some(Operation::Lease | Operation::Open));
                assert!(quiet || !outcome.is_clean(), "{what:?} at {number} hides a crash");
                let ended = outcome.ended.as_ref();
                assert!(ended.is_none_or(is_due), "{what:?} at {number}: {ended:?}");
                sim.reboot();
                if let Err(problem) = all(&scene, &sim) {
                    panic!("{what:?}, crash at {number}: {problem}");
                }
            }
        }
    }
}
