//! Whoever settles what a killed writer left may be killed, too, and the next goes on from there.

use dray_archive::Superblock;
use dray_sim::Sim;

use crate::checker::restorable;
use crate::mover::{Act, act};
use crate::world::Scene;

const VOLUME: &str = "/archive/volume-00000001.dray";

fn durable(sim: &Sim) -> u64 {
    Superblock::newest(&sim.tree().read_file(VOLUME)[..8192]).unwrap().durable
}

/// The world after power was lost at one operation of an archive run, and how many it had.
fn cut(sim: &Sim, scene: &Scene, at: Option<u64>) -> (Sim, u64) {
    let first = sim.operations();
    if let Some(at) = at {
        sim.at_operation(first + at, Sim::crash);
    }
    act(sim, &scene.place, Act::Archive);
    (sim.after_crash(7), sim.operations() - first)
}

#[test]
fn who_is_cut_off_while_he_settles_has_come_further() {
    let scene = Scene::heavy(3, 9);
    let (_, all) = cut(&scene.start(1), &scene, None);
    // Right before the volume is closed.
    let (left, _) = cut(&scene.start(1), &scene, Some(all - 8));
    let (whole, operations) = cut(&left.after_crash(2), &scene, None);
    assert!(durable(&left) < durable(&whole), "there is something to settle");
    let mut last = durable(&left);
    let mut times = 0;
    for at in (1..operations).step_by(13) {
        let (cut, _) = cut(&left.after_crash(2), &scene, Some(at));
        let now = durable(&cut);
        assert!(now >= last.min(durable(&whole)), "cut at {at}: {now}, {last} before");
        times += u32::from(now > last);
        last = last.max(now);
        if let Err(problem) = restorable(&scene, &cut) {
            panic!("cut at {at}: {problem}");
        }
    }
    assert!(times >= 2, "noted {times} times");
}
