//! A whole cluster on one thread, from one seed: coordinators, nodes with the real mover, programs,
//! users, a network and clocks that are not to be trusted, and faults at every step.
//!
//! `DRAY_SIM_SEEDS`, `DRAY_SIM_SEED` and `DRAY_SIM_SCENARIO` say what the long form runs.
#![forbid(unsafe_code)]
// All of it is test code: an unexpected error ends the test.
#![allow(clippy::unwrap_used)]

mod agenda;
mod checks;
mod clients;
mod clock;
mod cluster;
mod faults;
mod files;
mod host;
mod injected;
mod leader;
mod meanwhile;
mod network;
mod node;
mod random;
mod run;
mod scenario;
mod steps;
mod store;
mod sum;
mod trace;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cluster::Wrong;
use run::Stage;
use sum::Sum;

/// Seeds of each scenario, unless it is said.
const SEEDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The scenarios that are to be run.
fn scenarios() -> Vec<String> {
    std::env::var("DRAY_SIM_SCENARIO").map_or_else(|_| scenario::names(), |name| vec![name])
}

/// Runs a scenario with many seeds; what is wrong is printed with its seed.
fn run_many(name: &str, seeds: std::ops::Range<u64>) -> Sum {
    let stage = Stage::new(scenario::load(name));
    let mut sum = Sum::new();
    for seed in seeds {
        let ran = catch_unwind(AssertUnwindSafe(|| stage.run(seed, Wrong::Nothing, false)));
        match ran {
            Ok(outcome) => sum.add(name, seed, &outcome),
            Err(_) => sum.panicked(name, seed),
        }
    }
    println!("{name}: {sum}");
    sum
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let seeds = match number("DRAY_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DRAY_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let enough = seeds.end - seeds.start >= SEEDS;
    let (mut bad, mut events) = (0, 0);
    for name in scenarios() {
        let sum = run_many(&name, seeds.clone());
        assert!(!enough || sum.is_enough(), "{name}: what is to be tried was not");
        bad += sum.bad;
        events += sum.events;
    }
    println!("{events} events");
    assert_eq!(bad, 0, "runs with faults");
}

/// One seed, twice, with everything that happens in it, if one is named.
#[test]
fn the_same_seed_does_the_same() {
    let only = number("DRAY_SIM_SEED");
    for name in scenarios() {
        let stage = Stage::new(scenario::load(&name));
        let seeds = only.map_or(0..25, |seed| seed..seed + 1);
        for seed in seeds {
            let first = stage.run(seed, Wrong::Nothing, false);
            let second = stage.run(seed, Wrong::Nothing, only.is_some());
            assert!(first.events > 0);
            let sums = (first.sum, second.sum);
            assert_eq!(sums.0, sums.1, "scenario {name}, seed {seed}");
            if only.is_some() {
                second.lines.iter().for_each(|line| println!("{line}"));
                first.faults.iter().for_each(|what| println!("FAULT {what}"));
                let (sum, events) = (first.sum, first.events);
                println!("{name}, seed {seed}: twice {events} events with the sum {sum:016x}");
            }
        }
    }
}

/// How many of so many seeds see that something is spoilt on purpose.
fn noticed(name: &str, wrong: Wrong, seeds: u64) -> usize {
    let stage = Stage::new(scenario::load(name));
    // A coordinator that stumbles over what it reads has noticed, too.
    let bad = |seed: &u64| {
        let ran = catch_unwind(AssertUnwindSafe(|| stage.run(*seed, wrong, false)));
        ran.map_or(true, |outcome| !outcome.faults.is_empty())
    };
    let noticed = (0..seeds).filter(bad).count();
    println!("{wrong:?} in {name}: noticed with {noticed} of {seeds} seeds");
    noticed
}

#[test]
fn what_is_spoilt_is_noticed() {
    for (name, wrong, least) in [
        ("storm", Wrong::LeaseIgnored, 5),
        ("storm", Wrong::NothingChecked, 5),
        ("storm", Wrong::OutcomeTurned, 20),
        ("succession", Wrong::LeaseIgnored, 1),
        ("succession", Wrong::NothingChecked, 1),
        ("succession", Wrong::BlockForgotten, 5),
    ] {
        assert!(noticed(name, wrong, 150) >= least, "{wrong:?} in {name}");
    }
}
