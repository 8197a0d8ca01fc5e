//! `cargo xtask failover`: the long form of the end-to-end test of failover.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::{machine, run, test};

const ROUNDS: u64 = 50;

pub(crate) fn run(mut args: Args) -> Result<()> {
    let rounds = args.value("--rounds")?.unwrap_or(ROUNDS);
    let out = args.value::<PathBuf>("--out")?;
    args.done()?;
    machine::prepare();
    if machine::features().is_empty() || !machine::is_root() {
        bail!("the test of failover needs root, protoc and etcd");
    }
    let product = test::build_product()?;
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "failover"]);
    command.args(["--features", "dray-e2e/etcd", "--locked"]);
    command.args(["--", "--nocapture", "whatever_fails"]);
    command.env("DRAY_FAILOVER_ROUNDS", rounds.to_string());
    if let Some(out) = out {
        // The test runs in a folder of its own.
        let out = std::path::absolute(&out).context("--out")?;
        command.env("DRAY_FAILOVER_OUT", out);
    }
    command.env("DRAY_BIN", product).env("PATH", machine::path());
    run::step(&mut command)
}
