//! Building the targets.

use anyhow::{Context as _, Result};

use super::Places;
use crate::run;

/// Coverage for libFuzzer. These are flags of the stable compiler; sanitizers are not, and code
/// without `unsafe` has little for them to find.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(super) fn build() -> Result<Places> {
    let home = run::top().join("tests/fuzz");
    let out = run::target_folder()?.join("fuzz");
    let host = host()?;
    let mut command = run::cargo(["build", "--release", "--locked", "--manifest-path"]);
    command.arg(home.join("Cargo.toml")).arg("--target-dir").arg(out.join("build"));
    // With a target named the flags are not for build scripts, which would not link.
    command.args(["--target", &host]);
    command.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run::step(&mut command).context("libFuzzer needs a C++ compiler")?;
    let programs = out.join("build").join(host).join("release");
    Ok(Places { home, out, programs })
}

fn host() -> Result<String> {
    let version = run::output(run::program("rustc").arg("-vV")).context("rustc -vV")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}
