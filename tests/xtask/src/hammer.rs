//! `cargo xtask hammer`: the long form of the end-to-end test of recall.

use anyhow::{Result, bail};

use crate::args::Args;
use crate::{machine, run, test};

pub(crate) fn run(mut args: Args) -> Result<()> {
    let minutes = args.value("--minutes")?.unwrap_or(20_u64);
    let processes = args.value("--processes")?.unwrap_or(32_u64);
    let files = args.value("--files")?.unwrap_or(5000_u64);
    let kind = args.value::<String>("--fs")?;
    args.done()?;
    machine::prepare();
    if !machine::is_root() {
        bail!("the kernel asks only root before files are accessed");
    }
    let product = test::build_product()?;
    let filter = format!("hammer::hammer_on_{}", kind.unwrap_or_default());
    let mut command = run::cargo(["test", "--release", "-p", "dray-e2e", "--test", "recall"]);
    command.args(["--locked", "--", "--nocapture", "--test-threads", "1", &filter]);
    command.env("DRAY_HAMMER_SECONDS", (minutes * 60).to_string());
    command.env("DRAY_HAMMER_PROCESSES", processes.to_string());
    command.env("DRAY_HAMMER_FILES", files.to_string());
    command.env("DRAY_BIN", product).env("PATH", machine::path());
    run::step(&mut command)
}
