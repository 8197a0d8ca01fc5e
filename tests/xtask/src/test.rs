//! `cargo xtask test`: prepares the machine, builds the product, runs every test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::{engines, machine, run};

pub(crate) fn run(mut args: Args) -> Result<()> {
    let quick = args.flag("--quick");
    let filter = args.word();
    args.done()?;

    let skips = Skips::new()?;
    if !quick {
        machine::prepare();
    }
    let mut runner = runner(filter.as_deref());
    if quick {
        runner.args(["--exclude", "dray-e2e"]);
    } else {
        runner.env("DRAY_BIN", build_product()?);
        match engines::build() {
            Ok(program) => drop(runner.env("DRAY_ENGINES", program)),
            Err(error) => println!("other engines are not tested: {error:#}"),
        }
    }
    runner.env("DRAY_SKIPS", &skips.file).env("PATH", machine::path());
    let (tests, lines) = run::step_keeping(&mut runner, is_closing);
    let mut closing: Vec<String> = lines.iter().filter(|it| is_summary(it)).cloned().collect();
    closing.extend(sum(&lines).map(|line| format!("tests: {line}")));
    let mut outcomes = vec![tests];
    if !quick {
        let mut doc = run::cargo(["test", "--doc", "--workspace", "--locked"]);
        doc.args(machine::features()).args(filter.as_deref());
        let (docs, lines) = run::step_keeping(&mut doc, is_closing);
        closing.extend(sum(&lines).map(|line| format!("documentation tests: {line}")));
        outcomes.push(docs);
    }
    println!();
    skips.print();
    closing.iter().for_each(|line| println!("{line}"));
    let failed: Vec<String> =
        outcomes.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

/// Builds the `dray` that end-to-end tests run.
pub(crate) fn build_product() -> Result<PathBuf> {
    let mut build = run::cargo(["build", "--release", "--locked"]);
    build.args(["-p", "dray-cli", "-p", "dray-node", "-p", "dray-holder"]);
    run::step(build.args(machine::product_features()))?;
    let program = run::target_folder()?.join("release/dray");
    if !program.is_file() {
        bail!("the release build left no program named dray");
    }
    Ok(program)
}

/// nextest where it is installed, else what comes with cargo. All failures in one run.
fn runner(filter: Option<&str>) -> Command {
    let has_nextest = run::output(&mut run::cargo(["nextest", "--version"])).is_some();
    let start: &[&str] = if has_nextest {
        &["nextest", "run"]
    } else {
        // `--tests` leaves out documentation tests, which have their own step.
        &["test", "--tests"]
    };
    let mut command = run::cargo(start.iter().copied());
    command.args(["--workspace", "--no-fail-fast", "--locked"]);
    command.args(machine::features()).args(filter);
    command
}

/// The lines with which a runner ends: nextest with one, `cargo test` with one per test binary.
fn is_closing(line: &str) -> bool {
    is_summary(line) || line.starts_with("test result:")
}

fn is_summary(line: &str) -> bool {
    line.contains("Summary [") && line.contains("run:")
}

/// One line for the many of `cargo test`.
fn sum(lines: &[String]) -> Option<String> {
    let lines: Vec<&String> = lines.iter().filter(|line| !is_summary(line)).collect();
    let count = |word: &str| -> u64 {
        let counts = lines.iter().flat_map(|line| line.split(['.', ';']));
        counts.filter_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok()).sum()
    };
    let (passed, failed, ignored) = (count("passed"), count("failed"), count("ignored"));
    (!lines.is_empty()).then(|| format!("{passed} passed, {failed} failed, {ignored} ignored"))
}

/// Where tests that cannot run leave a line; runners hide what a passing test prints.
struct Skips {
    file: PathBuf,
}

impl Skips {
    fn new() -> Result<Self> {
        let name = format!("dray-skips-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, "").context("the list of skipped tests")?;
        Ok(Self { file })
    }

    fn print(&self) {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        lines.sort_unstable();
        lines.dedup();
        println!("skipped for want of something on this machine: {}", lines.len());
        lines.iter().for_each(|line| println!("  {line}"));
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new(&self.file));
    }
}

#[cfg(test)]
mod tests {
    use super::{is_closing, sum};

    #[test]
    fn closing_lines_are_known_and_summed() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ]
        .map(str::to_owned);
        assert!(lines.iter().all(|line| is_closing(line)));
        assert!(is_closing("     Summary [   1.2s] 45 tests run: 45 passed, 1 skipped"));
        assert_eq!(sum(&lines).as_deref(), Some("5 passed, 1 failed, 1 ignored"));
        assert_eq!(sum(&[]), None);
    }
}
