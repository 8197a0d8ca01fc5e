//! A whole cluster on one thread, from one seed: coordinators, nodes with the real mover, programs,
//! users, a network and clocks that are not to be trusted, and faults at every step.
//!
//! `DRAY_SIM_SEEDS`, `DRAY_SIM_SEED` and `DRAY_SIM_SCENARIO` say what is run; see the README.
#![forbid(unsafe_code)]
// All of it is test code: an unexpected error ends the test.
#![allow(clippy::unwrap_used)]

mod agenda;
mod canaries;
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

use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use cluster::Wrong;
use run::Stage;
use sum::Sum;

/// Seeds of each scenario, unless it is said.
const SEEDS: u64 = 100;
/// Runs with violations that are shown, and how many lines of what happened before.
const SHOWN: usize = 3;
const TAIL: usize = 60;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text} is no number")))
}

/// The scenarios that are to be run.
fn scenarios() -> Vec<String> {
    std::env::var("DRAY_SIM_SCENARIO").map_or_else(|_| scenario::names(), |name| vec![name])
}

/// The seeds that are to be run.
fn seeds(default: u64) -> Range<u64> {
    match number("DRAY_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DRAY_SIM_SEEDS").unwrap_or(default),
    }
}

/// Runs a seed once more, and prints what led to what is wrong.
fn show(stage: &Stage, name: &str, seed: u64) {
    println!("scenario {name}, seed {seed}; the last that happened:");
    let ran = catch_unwind(AssertUnwindSafe(|| stage.run(seed, Wrong::Nothing, true)));
    if let Ok(outcome) = ran {
        let lines = &outcome.lines;
        lines[lines.len().saturating_sub(TAIL)..].iter().for_each(|line| println!("{line}"));
        outcome.faults.iter().for_each(|fault| println!("VIOLATION {fault}"));
    }
    println!("again: cargo xtask sim --cluster --scenario {name} --seed {seed}\n");
}

/// Every so many-th seed from the first one on, and those with violations.
fn run_some(stage: &Stage, seeds: impl Iterator<Item = u64>) -> (Sum, Vec<u64>) {
    let (mut sum, mut bad) = (Sum::default(), Vec::new());
    for seed in seeds {
        let before = sum.bad;
        let ran = catch_unwind(AssertUnwindSafe(|| stage.run(seed, Wrong::Nothing, false)));
        match ran {
            Ok(outcome) => sum.add(&outcome),
            Err(_) => sum.panicked(),
        }
        if sum.bad > before {
            bad.push(seed);
        }
    }
    (sum, bad)
}

/// Runs a scenario with many seeds, on all processors; what is wrong is printed with its seed.
fn run_many(name: &str, seeds: &Range<u64>) -> Sum {
    let stage = Stage::new(scenario::load(name));
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (mut sum, mut bad) = (Sum::default(), Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let some = |first: usize| seeds.clone().skip(first).step_by(workers);
        let run = |first| {
            scope.spawn({
                let stage = &stage;
                move || run_some(stage, some(first))
            })
        };
        let threads: Vec<_> = (0..workers).map(run).collect();
        for thread in threads {
            let (its, its_bad) = thread.join().unwrap();
            sum.merge(&its);
            bad.extend(its_bad);
        }
    });
    sum.took = began.elapsed();
    bad.sort_unstable();
    bad.into_iter().take(SHOWN).for_each(|seed| show(&stage, name, seed));
    println!("{name}: {sum}");
    println!("{}", sum.work());
    sum
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let (seeds, names) = (seeds(SEEDS), scenarios());
    // With fewer not every kind of fault comes, nor in one scenario alone.
    let enough = seeds.end - seeds.start >= SEEDS;
    let all = enough && std::env::var_os("DRAY_SIM_SCENARIO").is_none();
    let mut total = Sum::default();
    for name in names {
        let sum = run_many(&name, &seeds);
        assert!(!(enough && sum.is_idle()), "{name}: hardly anything was done");
        total.merge(&sum);
    }
    println!("all: {total}");
    assert_eq!(total.bad, 0, "runs with violations, see above");
    assert!(!all || total.missing().is_empty(), "never came: {:?}", total.missing());
}

/// A seed that is named is shown with all that happens in it if `DRAY_SIM_TRACE` is set.
#[test]
fn the_same_seed_does_the_same() {
    let traced = std::env::var_os("DRAY_SIM_TRACE").is_some();
    for name in scenarios() {
        let stage = Stage::new(scenario::load(&name));
        let seeds = if number("DRAY_SIM_SEED").is_some() { seeds(1) } else { 0..10 };
        for seed in seeds {
            let first = stage.run(seed, Wrong::Nothing, false);
            let second = stage.run(seed, Wrong::Nothing, traced);
            let (sum, events) = (first.sum, first.events);
            assert!(events > 0);
            assert_eq!((sum, events), (second.sum, second.events), "scenario {name}, seed {seed}");
            second.lines.iter().for_each(|line| println!("{line}"));
            println!("{name}, seed {seed}: twice {events} events with the sum {sum:016x}");
        }
    }
}
