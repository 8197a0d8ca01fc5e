//! `cargo xtask check`: everything that is judged without running the product.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::Args;
use crate::{machine, run};

/// The command line and the format of `deny.toml` are those of this series.
const DENY_VERSION: &str = "^0.20";

pub(crate) fn run(mut args: Args) -> Result<()> {
    let advisories = args.flag("--advisories");
    let install = args.flag("--install") || in_ci();
    args.done()?;
    let deny = deny(install)?;
    if in_ci() {
        machine::prepare();
    }
    let features = machine::features();

    let mut doc = run::cargo(["doc", "--workspace", "--no-deps", "--locked"]);
    doc.args(features).env("RUSTDOCFLAGS", "-D warnings");
    let mut clippy = run::cargo(["clippy", "--workspace", "--all-targets", "--locked"]);
    clippy.args(features).args(["--", "-D", "warnings"]);
    let mut steps = vec![
        run::cargo(["fmt", "--all", "--check"]),
        run::cargo(["fmt", "--manifest-path", "tests/fuzz/Cargo.toml", "--check"]),
        run::cargo(["fmt", "--manifest-path", "bench/engines/Cargo.toml", "--check"]),
        clippy,
        engines()?,
        run::cargo(["test", "-p", "dray-tidy", "--locked", "--", "--quiet"]),
        doc,
    ];
    if let Some(mut command) = deny {
        command.args(["--all-features", "check", "bans", "licenses", "sources"]);
        if advisories {
            command.arg("advisories");
        }
        steps.push(command);
    }
    run::all(&mut steps)
}

/// Lints of what is built apart.
fn engines() -> Result<Command> {
    let mut clippy = run::cargo(["clippy", "--release", "--locked", "--manifest-path"]);
    clippy.arg(run::top().join("bench/engines/Cargo.toml"));
    clippy.arg("--target-dir").arg(run::target_folder()?.join("engines"));
    clippy.args(["--", "-D", "warnings"]);
    Ok(clippy)
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// How cargo-deny is started, or `None` with a word to the user if it is not there.
fn deny(install: bool) -> Result<Option<Command>> {
    if run::output(&mut run::cargo(["deny", "--version"])).is_some() {
        return Ok(Some(run::cargo(["deny"])));
    }
    // Below the target directory: nothing outside of the tree changes, and where that directory
    // is kept between runs the tool is too.
    let tools = run::target_folder()?.join("tools");
    let program: PathBuf = tools.join("bin/cargo-deny");
    if !program.is_file() {
        if !install {
            println!("cargo-deny is missing, so bans, licences and sources are NOT checked.");
            println!("Install it: cargo install cargo-deny --locked   (or add --install here)");
            return Ok(None);
        }
        let mut command = run::cargo(["install", "cargo-deny", "--locked"]);
        command.args(["--version", DENY_VERSION]).arg("--root").arg(&tools);
        command.arg("--target-dir").arg(tools.join("build"));
        run::step(&mut command).context("installing cargo-deny")?;
    }
    Ok(Some(run::program(program)))
}
