//! Users who meddle with a file at every operation of a run.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dray_io::{Access, Files, Range};
use dray_mover::{Error, Standing};
use dray_sim::Sim;

use crate::checker::{Check, at_rest, difference, restorable, standing, tail};
use crate::mover::{Act, act};
use crate::user::{DEEDS, Deed, Left, User, send, send_to_wait};
use crate::world::{LONG, Scene, path, rounds};

/// What the user did is there; where data is said to be away, the mover has not taken its place.
fn kept(sim: &Sim, path: &Path, left: &Left) -> Check {
    let Some(wanted) = &left.content else {
        return if sim.tree().exists(path) { Err("a deleted name is back".into()) } else { Ok(()) };
    };
    let (found, how) = (sim.tree().read_file(path), standing(sim, path));
    let wrong = match &how {
        Standing::Resident | Standing::Archived { .. } | Standing::Dirty(_) => {
            difference(&found, wanted)
        }
        _ => {
            let own = left.own.start as usize..left.own.end as usize;
            let found = found.get(own.clone()).unwrap_or_default();
            difference(found, &wanted[own])
        }
    };
    wrong.map_or(Ok(()), |what| Err(format!("{what}, {how:?}")))
}

/// The user's bytes survive whatever is done next, and so does all else.
fn kept_for_good(scene: &Scene, sim: &Sim, left: &Left) -> Check {
    let subject = path("subject");
    kept(sim, &subject, left)?;
    for what in [Act::Release, Act::Restore, Act::Archive, Act::Release, Act::Restore] {
        sim.advance(LONG);
        let outcome = act(sim, &scene.place, what);
        // Between a release and a restore the content may well be away.
        if what != Act::Release || !outcome.done.contains(&subject) {
            kept(sim, &subject, left).map_err(|error| format!("{error}, after {what:?}"))?;
        }
        let refused = |error: &Error| {
            matches!(error, Error::Overwritten { .. } | Error::Dirty { .. })
                || matches!(error, Error::NotArchived { .. })
        };
        let others =
            outcome.failed.iter().find(|(path, error)| *path != subject || !refused(error));
        if let Some((path, error)) = others {
            return Err(format!("{what:?} of {}: {error}", path.display()));
        }
    }
    let mut others = scene.clone();
    others.files.retain(|file| file.path != subject);
    let clean = act(sim, &scene.place, Act::Restore).failed.is_empty();
    if clean { restorable(&others, sim) } else { at_rest(&others, sim) }
}

struct Meddling {
    what: Act,
    deed: Deed,
    /// The user opened the file before the run.
    held: bool,
    /// The user waits for leases until they lapse.
    waits: bool,
}

/// The user comes at each operation of one run in turn; how often.
fn meddle(scene: &Scene, way: &Meddling, stride: usize) {
    let stride = (stride / rounds() as usize).max(1);
    for number in (1..).step_by(stride) {
        let sim = scene.start(number);
        let mut user = User::new(scene, way.deed);
        if way.held {
            user.held = Some(sim.open(&user.path, Access::Write).unwrap());
        }
        let user = Arc::new(Mutex::new(user));
        let first = sim.operations();
        let come: fn(&Sim, Arc<Mutex<User>>, u64) = if way.waits { send_to_wait } else { send };
        come(&sim, Arc::clone(&user), first + number);
        act(&sim, &scene.place, way.what);
        if sim.operations() < first + number {
            return;
        }
        let mut user = user.lock().unwrap();
        if user.done.is_none() {
            assert!(user.act(&sim), "a lease outlives its run");
        }
        let mut left = user.done.clone().expect("the user came");
        if (way.held || way.waits) && matches!(way.what, Act::Restore) && left.content.is_some() {
            // A restore goes on under somebody's open file: it may be that of the reader who
            // waits. Who writes there at the same time gets either's bytes, but these are kept.
            left.content = Some(sim.tree().read_file(&user.path));
            left.own = Range::new(0, 0);
        }
        let trace = tail(&sim);
        if let Err(problem) = kept_for_good(scene, &sim, &left) {
            let Meddling { what, deed, held, .. } = way;
            panic!("{deed:?} (held {held}) in {what:?} at {number}: {problem}{trace}");
        }
    }
}

/// A user who waits out the mover's leases.
fn meddle_after_leases(scene: &Scene, what: Act, stride: usize) {
    for deed in DEEDS.into_iter().filter(|deed| *deed != Deed::Clear) {
        meddle(scene, &Meddling { what, deed, held: false, waits: true }, stride);
    }
}

fn meddle_all(scene: &Scene, what: Act, held: bool, stride: usize) {
    // Zeros written where data is away cannot be told from the hole that is there.
    let away = what != Act::Archive;
    for deed in DEEDS.into_iter().filter(|deed| !away || *deed != Deed::Clear) {
        meddle(scene, &Meddling { what, deed, held, waits: false }, stride);
    }
}

const SMALL: usize = 150_001;
const LARGE: usize = (1 << 20) + 5001;

#[test]
fn what_a_user_does_during_an_archive_run_is_kept() {
    for held in [false, true] {
        meddle_all(&Scene::pair(1, SMALL), Act::Archive, held, 1);
        meddle_all(&Scene::pair(1, LARGE), Act::Archive, held, 7);
    }
}

#[test]
fn what_a_user_does_during_a_release_is_kept() {
    for held in [false, true] {
        meddle_all(&Scene::pair(2, SMALL).after(&[Act::Archive]), Act::Release, held, 1);
        meddle_all(&Scene::pair(2, LARGE).after(&[Act::Archive]), Act::Release, held, 7);
    }
}

#[test]
fn what_a_user_does_during_a_restore_is_kept() {
    let acts = [Act::Archive, Act::Release];
    meddle_all(&Scene::pair(3, SMALL).after(&acts), Act::Restore, false, 1);
    meddle_all(&Scene::pair(3, LARGE).after(&acts), Act::Restore, false, 7);
    meddle_all(&Scene::pair(3, SMALL).after(&acts), Act::Restore, true, 1);
    meddle_all(&Scene::pair(3, LARGE).after(&acts), Act::Restore, true, 7);
    let range = Act::RestoreRange(Range::new(70_000, 80_000));
    meddle_all(&Scene::pair(3, SMALL).after(&acts), range, false, 3);
}

#[test]
fn what_a_user_does_when_a_lease_has_lapsed_is_kept() {
    let partial = Act::RestoreRange(Range::new(70_000, 80_000));
    let acts = [Act::Archive, Act::Release, partial];
    for size in [SMALL, LARGE] {
        let stride = if size == SMALL { 1 } else { 3 };
        meddle_after_leases(&Scene::pair(4, size).after(&[Act::Archive]), Act::Release, stride);
        meddle_after_leases(&Scene::pair(4, size).after(&acts), Act::Release, stride);
        meddle_after_leases(&Scene::pair(4, size).after(&acts[..2]), Act::Restore, stride);
    }
}
