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
