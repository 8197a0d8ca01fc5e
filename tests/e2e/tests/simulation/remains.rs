//! What an interrupted restore leaves in a file must not be taken for a user's work, even where
//! the state no longer tells of it.

use dray_io::{Range, Time};
use dray_sim::{Failure, Faults, Sim};

use crate::checker::{all, difference, tail};
use crate::mover::{Act, act};
use crate::world::{Scene, path};

fn is_whole(scene: &Scene, sim: &Sim) -> Result<(), String> {
    let outcome = act(sim, &scene.place, Act::Restore);
    if !outcome.is_clean() {
        return Err(format!("{:?}", outcome.complaints()));
    }
    let subject = scene.expected("subject");
    difference(&sim.tree().read_file(&subject.path), &subject.content).map_or(Ok(()), Err)
}

#[test]
fn a_file_whose_time_was_set_survives_a_crash_in_its_restore() {
    for size in [150_001, (1 << 20) + 5001] {
        let scene = Scene::pair(1, size).after(&[Act::Archive, Act::Release]);
        for number in 1.. {
            let sim = scene.start(number);
            sim.tree().set_modified(path("subject"), Time { seconds: 1_600_000_000, nanos: 0 });
            sim.set_faults(Faults::crash_at(number));
            act(&sim, &scene.place, Act::Restore);
            if !sim.crashed() {
                break;
            }
            sim.reboot();
            if let Err(problem) = is_whole(&scene, &sim) {
                panic!("{size} bytes, crash at {number}: {problem}{}", tail(&sim));
            }
        }
    }
}

#[test]
fn a_range_restored_after_another_failed_hides_no_remains() {
    let (first, second) = (Range::new(0, 10_000), Range::new(140_000, 140_100));
    for size in [150_001, (1 << 20) + 5001] {
        let scene = Scene::pair(2, size).after(&[Act::Archive, Act::Release]);
        for number in 1.. {
            let sim = scene.start(number);
            sim.set_faults(Faults::fail_at(number, Failure::Eio));
            act(&sim, &scene.place, Act::RestoreRange(first));
            if !sim.fault_fired() {
                break;
            }
            sim.set_faults(Faults::default());
            for what in [Act::RestoreRange(second), Act::Release] {
                let mut sim = sim.after_crash(number);
                for what in [Act::RestoreRange(second), what] {
                    let outcome = act(&sim, &scene.place, what);
                    assert!(outcome.is_clean(), "{number}, {what:?}: {:?}", outcome.complaints());
                    sim = sim.after_crash(number);
                }
                if let Err(problem) = all(&scene, &sim) {
                    panic!("{size} bytes, failed at {number}: {problem}{}", tail(&sim));
                }
            }
        }
    }
}
