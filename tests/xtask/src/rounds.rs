//! Long forms of tests that take a number of rounds from the environment.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::args::Args;
use crate::{machine, run, test};

pub(crate) fn crash(args: Args) -> Result<()> {
    machine::prepare();
    long_form(args, "crash", "DRAY_CRASH_ROUNDS", 500)
}

pub(crate) fn sim(mut args: Args) -> Result<()> {
    if args.flag("--cluster") {
        return sim_cluster(args);
    }
    long_form(args, "simulation", "DRAY_SIM_ROUNDS", 1000)
}

/// One seed is run twice, compared, and shown; many are run on all processors.
fn sim_cluster(mut args: Args) -> Result<()> {
    let seed = args.value::<u64>("--seed")?;
    let seeds = args.value("--seeds")?.unwrap_or(1000_u64);
    let scenario = args.value::<String>("--scenario")?;
    args.done()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "simcluster"]);
    command.args(["--locked", "--", "--nocapture", "--test-threads", "1"]);
    match seed {
        Some(seed) => {
            command.args(["holds", "does_the_same"]).env("DRAY_SIM_SEED", seed.to_string());
            command.env("DRAY_SIM_TRACE", "1");
            println!("DRAY_SIM_SEED={seed}");
        }
        None => {
            command.env("DRAY_SIM_SEEDS", seeds.to_string());
            println!("DRAY_SIM_SEEDS={seeds}");
        }
    }
    if let Some(scenario) = scenario {
        command.env("DRAY_SIM_SCENARIO", scenario);
    }
    run::step(&mut command)
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

/// Keeps what the test of a stalled device has measured.
pub(crate) fn stall(mut args: Args) -> Result<()> {
    machine::prepare();
    let out = args.value::<PathBuf>("--out")?.unwrap_or_else(|| "stall".into());
    args.done()?;
    // The test runs in a folder of its own.
    let out = std::path::absolute(&out).context("--out")?;
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let product = test::build_product()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "stall"]);
    command.args(["--locked", "--", "--nocapture"]).env("DRAY_STALL_OUT", out);
    command.env("DRAY_BIN", product).env("PATH", machine::path());
    run::step(&mut command)
}

/// Keeps what it is worth to move files in order.
pub(crate) fn locality(mut args: Args) -> Result<()> {
    let files = args.value("--files")?.unwrap_or(20_000_u64);
    let rounds = args.value("--rounds")?.unwrap_or(5_u64);
    let out = args.value::<PathBuf>("--out")?.unwrap_or_else(|| "locality.json".into());
    args.done()?;
    let product = test::build_product()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "locality"]);
    command.args(["--locked", "--", "--nocapture"]);
    command.env("DRAY_LOCALITY_FILES", files.to_string());
    command.env("DRAY_LOCALITY_ROUNDS", rounds.to_string());
    command.env("DRAY_LOCALITY_OUT", std::path::absolute(&out).context("--out")?);
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
