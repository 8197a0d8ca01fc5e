//! A whole cluster on one thread, from one seed: coordinator, nodes with the real mover, programs,
//! users, a network and clocks that are not to be trusted, and faults at every step.
//!
//! `DRAY_SIM_SCENARIO`, `DRAY_SIM_SEED` and `DRAY_SIM_SEEDS` say what the long form runs.
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
mod meanwhile;
mod network;
mod node;
mod random;
mod run;
mod scenario;
mod steps;
mod trace;
mod work;

use cluster::Wrong;
use run::{Stage, shown};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let only = std::env::var("DRAY_SIM_SCENARIO").ok();
    let first = number("DRAY_SIM_FIRST").unwrap_or(0);
    let count = number("DRAY_SIM_SEEDS").unwrap_or(100);
    for name in scenario::names() {
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let began = std::time::Instant::now();
        let stage = Stage::new(scenario::load(&name));
        let (mut events, mut operations, mut begun, mut requests, mut bad) = (0, 0, 0, 0, 0);
        for seed in first..first + count {
            let outcome = stage.run(seed, Wrong::Nothing, false);
            events += outcome.events;
            operations += outcome.operations;
            begun += outcome.begun;
            requests += outcome.requests;
            if !outcome.faults.is_empty() {
                bad += 1;
                if bad < 10 {
                    println!("{}", shown(&name, seed, &outcome));
                }
            }
        }
        println!(
            "{name}: {count} seeds, {events} events, {operations} operations, {requests} requests, \
             {begun} movements, {bad} bad, {:.1} s",
            began.elapsed().as_secs_f64()
        );
    }
}

#[test]
fn one() {
    let Some(seed) = number("DRAY_SIM_SEED") else { return };
    let name = std::env::var("DRAY_SIM_SCENARIO").unwrap();
    let stage = Stage::new(scenario::load(&name));
    let outcome = stage.run(seed, Wrong::Nothing, true);
    outcome.lines.iter().for_each(|line| println!("{line}"));
    println!("{}", shown(&name, seed, &outcome));
}
