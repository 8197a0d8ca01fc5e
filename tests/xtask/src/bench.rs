//! `cargo xtask bench`: runs the benchmarks and keeps results together with their machine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::{host, run, test};

/// Each is `dray bench NAME --json`; what it prints is kept.
const BENCHMARKS: [&str; 2] = ["copy", "files"];

pub(crate) fn run(mut args: Args) -> Result<()> {
    let out: Option<PathBuf> = args.value("--out")?;
    let dry_run = args.flag("--dry-run");
    let more = args.rest();
    args.done()?;

    let name = format!("bench/runs/{}-{}", host::today(), host::short_name());
    let out = run::top().join(out.unwrap_or_else(|| name.into()));
    let below_top = out.strip_prefix(run::top()).unwrap_or(&out);
    for name in BENCHMARKS {
        let kept = below_top.join(format!("{name}.json"));
        println!("dray bench {name} --json {} > {}", more.join(" "), kept.display());
    }
    if dry_run {
        return Ok(());
    }
    let product = test::build_product()?;
    fs::create_dir_all(&out).with_context(|| format!("{}", out.display()))?;
    let scratch = scratch(&more);
    let machine = serde_json::to_string_pretty(&host::describe(&scratch))?;
    fs::write(out.join("machine.json"), machine + "\n").context("machine.json")?;
    for name in BENCHMARKS {
        let result = out.join(format!("{name}.json"));
        let mut command = run::program(&product);
        command.args(["bench", name, "--json"]).args(&more);
        command.stdout(fs::File::create(&result).with_context(|| format!("{name}.json"))?);
        run::step(&mut command)?;
        let text = fs::read_to_string(&result)?;
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
            bail!("dray bench {name} --json did not print JSON: {error}");
        }
    }
    println!("\nresults: {}", below_top.display());
    Ok(())
}

/// Where the benchmarks put their files: what `--dir` among their arguments says, else here.
fn scratch(more: &[String]) -> PathBuf {
    let at = more.iter().position(|word| word == "--dir");
    let given = at.and_then(|at| more.get(at + 1)).map(PathBuf::from);
    given.unwrap_or_else(run::top)
}
