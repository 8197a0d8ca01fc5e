//! Long forms of tests that take a number of rounds from the environment.

use anyhow::Result;

use crate::args::Args;
use crate::{machine, run, test};

pub(crate) fn crash(args: Args) -> Result<()> {
    machine::prepare();
    long_form(args, "crash", "DRAY_CRASH_ROUNDS", 500)
}

pub(crate) fn sim(args: Args) -> Result<()> {
    long_form(args, "simulation", "DRAY_SIM_ROUNDS", 1000)
}

pub(crate) fn cluster(mut args: Args) -> Result<()> {
    machine::prepare();
    let files = args.value("--files")?.unwrap_or(20_000_u64);
    let gib = args.value("--gib")?.unwrap_or(8_u64);
    args.done()?;
    let product = test::build_product()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "cluster"]);
    command.args(["--locked", "--", "--nocapture", "three_nodes"]);
    command.env("DRAY_CLUSTER_FILES", files.to_string());
    command.env("DRAY_CLUSTER_GIB", gib.to_string());
    command.env("DRAY_BIN", product).env("PATH", machine::path());
    run::step(&mut command)
}

fn long_form(mut args: Args, name: &str, variable: &str, default: u64) -> Result<()> {
    let rounds = args.value("--rounds")?.unwrap_or(default);
    args.done()?;
    let product = test::build_product()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", name]);
    command.args(["--locked", "--", "--nocapture"]);
    command.env(variable, rounds.to_string());
    command.env("DRAY_BIN", product).env("PATH", machine::path());
    println!("{variable}={rounds}");
    run::step(&mut command)
}
