//! `cargo xtask engines`: other engines beside that of the product, which is built apart from them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::{run, test};

pub(crate) fn run(mut args: Args) -> Result<()> {
    let out = args.value::<PathBuf>("--out")?;
    let more = args.rest();
    args.done()?;
    let engines = build()?;
    let mut command = run::program(test::build_product()?);
    command.args(["bench", "engines", "--engines"]).arg(engines).args(more);
    if let Some(out) = out {
        let file = std::fs::File::create(&out).with_context(|| out.display().to_string())?;
        command.arg("--json").stdout(file);
    }
    run::step(&mut command)
}

/// The program with the engines.
pub(crate) fn build() -> Result<PathBuf> {
    let out = run::target_folder()?.join("engines");
    let mut command = run::cargo(["build", "--release", "--locked", "--manifest-path"]);
    command.arg(run::top().join("bench/engines/Cargo.toml")).arg("--target-dir").arg(&out);
    run::step(&mut command).context("glommio needs a C compiler")?;
    let program = out.join("release/dray-engines");
    if !program.is_file() {
        bail!("the release build left no program named dray-engines");
    }
    Ok(program)
}
