//! `cargo xtask instructions`: how many instructions hot paths take, held against what is recorded.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::args::Args;
use crate::{host, run};

/// The pieces of `tests/e2e/examples/instructions.rs`, what one is, and how many are counted: the
/// difference between twice as many and as many is taken.
const PIECES: [(&str, &str, u64); 5] = [
    ("wire", "a submission of 100 files, encoded and decoded", 200),
    ("queue", "1,000 requests, submitted, ordered, done", 10),
    ("sum", "sums of 1 MiB", 100),
    ("pack", "a segment of 100 files of 16 KiB", 20),
    ("copy", "4 MiB in 64 requests, the kernel simulated", 10),
];

const RECORDED: &str = "bench/runs/instructions.json";
const RELEASES: &str = "bench/runs/releases.jsonl";
/// Share by which a piece may take more. From run to run counts differ by less than one in a
/// million; where code is laid out, and what is inlined, by more.
const TOLERANCE: f64 = 0.02;

pub(crate) fn run(mut args: Args) -> Result<()> {
    let record = args.flag("--record");
    let release: Option<String> = args.value("--release")?;
    args.done()?;
    let mut build = run::cargo(["build", "--release", "--locked"]);
    run::step(build.args(["-p", "dray-e2e", "--example", "instructions"]))?;
    let program = run::target_folder()?.join("release/examples/instructions");

    let mut counts = Map::new();
    for (name, what, count) in PIECES {
        let (once, twice) = (counted(&program, name, count)?, counted(&program, name, 2 * count)?);
        let each = twice.saturating_sub(once) / count;
        let took = [0; 5].map(|_| took(&program, name, 20 * count));
        let mut took = took.into_iter().collect::<Result<Vec<f64>>>()?;
        took.sort_by(f64::total_cmp);
        println!("{name:<6} {each:>12} instructions, {:>10.1} us: {what}", took[2] * 1e6);
        counts.insert(name.into(), json!({ "instructions": each, "microseconds": took[2] * 1e6 }));
    }
    let result = json!({
        "rustc": run::output(run::program("rustc").arg("--version")),
        "processor": host::short_name(),
        "pieces": counts,
    });
    if let Some(version) = release {
        return append(&version, &result);
    }
    if record {
        let text = serde_json::to_string_pretty(&result)? + "\n";
        return fs::write(run::top().join(RECORDED), text).context(RECORDED);
    }
    compare(&result)
}

/// Instructions of a whole run.
fn counted(program: &Path, name: &str, count: u64) -> Result<u64> {
    let mut command = run::program("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program).args([name, &count.to_string()]);
    let output = command.output().context("valgrind cannot be run: apt-get install valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("{}: {text}", run::text(&command));
    }
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = line.with_context(|| format!("callgrind counted nothing: {text}"))?;
    number.trim().parse().with_context(|| format!("callgrind counted {number}"))
}

/// Seconds of one piece, without callgrind.
fn took(program: &PathBuf, name: &str, count: u64) -> Result<f64> {
    let began = Instant::now();
    let mut command = run::program(program);
    let status = command.args([name, &count.to_string()]).status()?;
    if !status.success() {
        bail!("{}: {status}", run::text(&command));
    }
    Ok(began.elapsed().as_secs_f64() / count as f64)
}

fn compare(result: &Value) -> Result<()> {
    let text = fs::read_to_string(run::top().join(RECORDED))
        .with_context(|| format!("{RECORDED}: make it with cargo xtask instructions --record"))?;
    let recorded: Value = serde_json::from_str(&text)?;
    let worse = worse(result, &recorded)?;
    // Another compiler, or a processor with other vector units, makes other code.
    let other = ["rustc", "processor"].into_iter().find(|name| result[*name] != recorded[*name]);
    if let Some(name) = other {
        println!("{name} is {}, and was {}: not judged", result[name], recorded[name]);
    } else if !worse.is_empty() {
        bail!("{}; if that is meant: cargo xtask instructions --record", worse.join("; "));
    }
    Ok(())
}

/// Those that take more than they may.
fn worse(result: &Value, recorded: &Value) -> Result<Vec<String>> {
    let mut worse = Vec::new();
    for (name, _, _) in PIECES {
        let of = |value: &Value| value["pieces"][name]["instructions"].as_f64();
        let (Some(now), Some(before)) = (of(result), of(recorded)) else {
            bail!("{RECORDED} has nothing of {name}: cargo xtask instructions --record");
        };
        let change = now / before - 1.0;
        println!("{name:<6} {:+.2} %", change * 100.0);
        if change > TOLERANCE {
            worse.push(format!("{name} takes {:.1} % more", change * 100.0));
        }
    }
    Ok(worse)
}

/// One line for a release.
fn append(version: &str, result: &Value) -> Result<()> {
    let mut line = json!({
        "version": version,
        "date": host::today(),
        "commit": run::output(run::program("git").args(["rev-parse", "HEAD"])),
    });
    for name in ["rustc", "processor", "pieces"] {
        line[name] = result[name].clone();
    }
    let path = run::top().join(RELEASES);
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).context(RELEASES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of_sum: u64) -> Value {
        let mut pieces = Map::new();
        for (name, _, _) in PIECES {
            let count = if name == "sum" { of_sum } else { 1000 };
            pieces.insert(name.into(), json!({ "instructions": count }));
        }
        json!({ "pieces": pieces })
    }

    #[test]
    fn a_piece_that_takes_more_is_named_and_one_that_is_not_recorded_is_an_error() {
        assert_eq!(worse(&counts(1015), &counts(1000)).unwrap(), [""; 0]);
        assert_eq!(worse(&counts(500), &counts(1000)).unwrap(), [""; 0]);
        assert_eq!(worse(&counts(1030), &counts(1000)).unwrap(), ["sum takes 3.0 % more"]);
        assert!(worse(&counts(1), &json!({})).is_err());
    }
}
