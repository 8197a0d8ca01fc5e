//! Clients and nodes that do at random what they may and may not, and what must hold all the same.
//!
//! `DRAY_MODEL_SEEDS` says how many seeds are tried, `DRAY_MODEL_SEED` which one alone.

mod checker;
mod clients;
mod movers;
mod nodes;
mod random;
mod world;

use dray_core::Holdings;
use dray_wire::messages::ShowRequest;
use world::{MS, World, Wrong};

const STEPS: u64 = 120;

/// Does anything, then lets all come to rest; what was found wrong.
fn run(seed: u64, wrong: Wrong, traced: bool) -> (World, Vec<String>) {
    let mut world = World::new(seed, wrong, traced);
    for node in 0..1 + world.random.below(5) {
        world.add_node(&format!("n{node}"), false);
    }
    for _ in 0..STEPS {
        match world.random.below(10) {
            0..=4 => world.client_acts(),
            5..=8 => world.node_acts(),
            _ => {
                let longest = world.random.pick(&[1, 100, 1500]).expect("there are some");
                let ms = world.random.below(longest);
                world.sleep(ms * MS);
            }
        }
    }
    rest(&mut world);
    let faults = std::mem::take(&mut world.checker.faults);
    (world, faults)
}

fn rest(world: &mut World) {
    world.add_node("well", true);
    let client = world.tidy_up();
    for round in 0.. {
        world.nodes_work();
        if world.core.open_requests() == 0 {
            break;
        }
        if round == 50 {
            let (holdings, steps) = (world.core.holdings(), world.steps());
            world.checker.faults.push(format!("does not end: {holdings:?}, under way {steps:?}"));
            break;
        }
        world.sleep(200 * MS);
    }
    world.sleep(4_000 * MS);
    world.nodes_work();
    for request in world.checker.requests() {
        world.ask(client, ShowRequest { request });
    }
    world.checker.at_rest();
    let held = world.core.holdings();
    let nodes = world.nodes.iter().filter(|node| node.connection.is_some()).count();
    let connections = world.checker.connected.len();
    // A lease for each node is all that time brings.
    let empty = Holdings { connections, timers: nodes, ..Holdings::default() };
    if held != empty {
        world.checker.faults.push(format!("left over: {held:?}"));
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let seeds = match number("DRAY_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DRAY_MODEL_SEEDS").unwrap_or(2000),
    };
    let (mut bad, mut outputs, mut doubled, mut steps) = (0, 0, 0, [0; 4]);
    for seed in seeds.clone() {
        let (world, faults) = run(seed, Wrong::Nothing, false);
        outputs += world.outputs;
        doubled += world.checker.movers.doubled;
        for (sum, own) in steps.iter_mut().zip(world.checker.movers.steps) {
            *sum += own;
        }
        for fault in faults.iter().take(2) {
            println!("seed {seed}: {fault}");
        }
        bad += u64::from(!faults.is_empty());
    }
    println!("{} seeds, {outputs} outputs", seeds.end - seeds.start);
    println!("orders by step {steps:?}, {doubled} beside a silent node");
    let enough = seeds.end - seeds.start < 100 || (doubled > 0 && steps.iter().all(|it| *it > 0));
    assert!(enough, "what is to be tried was not");
    assert_eq!(bad, 0, "seeds with faults");
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in 0..100 {
        let first = run(seed, Wrong::Nothing, true).0;
        let second = run(seed, Wrong::Nothing, true).0;
        assert!(first.outputs > 0);
        assert_eq!((first.trace, first.outputs), (second.trace, second.outputs), "seed {seed}");
    }
}

/// What is spoilt on purpose is noticed: the checkers see something.
#[test]
fn what_is_spoilt_is_noticed() {
    for (wrong, least) in [
        (Wrong::OutcomeLost, 50),
        (Wrong::OutcomeTwice, 50),
        (Wrong::GrantLost, 50),
        (Wrong::ReplyLost, 50),
        (Wrong::LeaseLonger, 1),
    ] {
        let noticed = (0..100).filter(|seed| !run(*seed, wrong, false).1.is_empty()).count();
        println!("{wrong:?}: noticed with {noticed} of 100 seeds");
        assert!(noticed >= least, "{wrong:?}: {noticed}");
    }
}
