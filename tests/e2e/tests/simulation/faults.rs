//! Every operation of every run fails, once or from there on. Nothing is lost, errors say what
//! failed, and the next run, without faults, does all there is to do.

use dray_io::Range;
use dray_mover::{Error, Standing};
use dray_sim::{Failure, Faults, Sim};

use crate::checker::{all, at_rest, restorable, standing, tail, volumes_sound};
use crate::mover::{Act, Outcome, act};
use crate::world::{LONG, Scene, rounds};

/// What a fault-free run leaves.
fn is_complete(scene: &Scene, sim: &Sim, what: Act) -> Result<(), String> {
    for file in &scene.files {
        let how = standing(sim, &file.path);
        let right = match what {
            Act::Archive | Act::Restore => matches!(how, Standing::Archived { .. }),
            Act::Release => matches!(how, Standing::Away { .. }) || file.content.is_empty(),
            Act::Remove => matches!(how, Standing::Resident),
            Act::RestoreRange(_) | Act::ReadNext(_) => true,
        };
        if !right {
            return Err(format!("{} is left {}", file.path.display(), how.word()));
        }
    }
    Ok(())
}

/// Every complaint says what failed; a run that says nothing has done its work.
fn is_honest(scene: &Scene, sim: &Sim, what: Act, outcome: &Outcome) -> Result<(), String> {
    let errors = outcome.failed.iter().map(|(_, error)| error).chain(&outcome.ended);
    for error in errors {
        let named = match error {
            Error::Fault(fault) => !fault.path.as_os_str().is_empty(),
            other => other.to_string().contains('/'),
        };
        if !named && !matches!(error, Error::NoRing(_)) {
            return Err(format!("an error without a name: {error}"));
        }
    }
    if outcome.is_clean() { is_complete(scene, sim, what) } else { Ok(()) }
}

fn checked(scene: &Scene, sim: &Sim, what: Act, seed: u64) -> Result<(), String> {
    let outcome = act(sim, &scene.place, what);
    sim.set_faults(Faults::default());
    is_honest(scene, sim, what, &outcome)?;
    at_rest(scene, sim)?;
    // What the fault left in memory only may now be lost.
    for chance in 0..2 * rounds() {
        all(scene, &sim.after_crash(seed ^ chance << 20)).map_err(|it| format!("crashed: {it}"))?;
    }
    sim.advance(LONG);
    let again = act(sim, &scene.place, what);
    if !again.is_clean() {
        return Err(format!("the next run complains: {:?}", again.complaints()));
    }
    is_complete(scene, sim, what)?;
    let crashed = sim.after_crash(seed);
    volumes_sound(&crashed).and_then(|()| all(scene, &crashed))?;
    restorable(scene, sim)?;
    volumes_sound(sim)
}

/// Fails each operation of a run in turn; how many there were.
fn fail_everywhere(
    scene: &Scene,
    what: Act,
    failure: Failure,
    persistent: bool,
    stride: u64,
) -> u64 {
    let stride = (stride / rounds()).max(1);
    for number in (1..).step_by(stride as usize) {
        let sim = scene.start(number);
        sim.set_faults(Faults { persistent, ..Faults::fail_at(number, failure) });
        let fired = {
            let probe = scene.start(number);
            probe.set_faults(Faults { persistent, ..Faults::fail_at(number, failure) });
            act(&probe, &scene.place, what);
            probe.fault_fired()
        };
        if !fired {
            return number - 1;
        }
        if let Err(problem) = checked(scene, &sim, what, number) {
            let how = if persistent { "from" } else { "at" };
            panic!("{failure:?} {how} {number} of {what:?}: {problem}{}", tail(&sim));
        }
    }
    unreachable!("the numbers do not end")
}

fn fail_all(scene: &Scene, what: Act, stride: u64) {
    for (failure, persistent) in [
        (Failure::Eio, false),
        (Failure::Eio, true),
        (Failure::NoSpace, false),
        (Failure::NoSpace, true),
    ] {
        let count = fail_everywhere(scene, what, failure, persistent, stride);
        assert!(count > 0, "{failure:?} never fired in {what:?}");
    }
}

#[test]
fn a_fault_while_archiving_loses_nothing() {
    fail_all(&Scene::small(1), Act::Archive, 2);
    fail_all(&Scene::large(1), Act::Archive, 5);
}

#[test]
fn a_fault_while_releasing_loses_nothing() {
    fail_all(&Scene::small(2).after(&[Act::Archive]), Act::Release, 3);
    fail_all(&Scene::large(2).after(&[Act::Archive]), Act::Release, 1);
}

#[test]
fn a_fault_while_restoring_loses_nothing() {
    let acts = [Act::Archive, Act::Release];
    fail_all(&Scene::small(3).after(&acts), Act::Restore, 3);
    let large = Scene::large(3).after(&acts);
    fail_all(&large, Act::Restore, 5);
    fail_all(&large, Act::RestoreRange(Range::new(70_000, 200_001)), 3);
    fail_all(&large, Act::ReadNext(Range::new(70_000, 200_001)), 3);
}

#[test]
fn a_fault_while_removing_loses_nothing() {
    fail_all(&Scene::small(4).after(&[Act::Archive]), Act::Remove, 3);
}

#[test]
fn a_ring_that_asks_to_be_asked_again_is_asked_again() {
    let fresh = Scene::large(5);
    let away = fresh.after(&[Act::Archive, Act::Release]);
    for (scene, what) in [(fresh, Act::Archive), (away, Act::Restore)] {
        for short_percent in [0, 30, 60] {
            for number in (1..40).step_by(3) {
                let sim = scene.start(number);
                let again = Faults::fail_at(number, Failure::Eagain);
                sim.set_faults(Faults { short_percent, ..again });
                let outcome = act(&sim, &scene.place, what);
                assert!(outcome.is_clean(), "{what:?} at {number}: {:?}", outcome.complaints());
                sim.set_faults(Faults::default());
                is_complete(&scene, &sim, what).unwrap();
                all(&scene, &sim).unwrap();
                act(&sim, &scene.place, Act::Release);
                all(&scene, &sim).unwrap();
            }
        }
    }
}
