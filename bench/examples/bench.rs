//! Runs a workload with any program in the place of `dray`, and with fewer rounds than the
//! command allows: `cargo run --example bench -- copy|files PROGRAM DIR SIZE|COUNT ROUNDS [json]`.

#![forbid(unsafe_code)]

use std::path::Path;

use anyhow::{Context, Result, bail};
use dray_bench::{CopyOptions, FilesOptions, parse_size, run_copy, run_files};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [workload, program, dir, amount, rounds, rest @ ..] = args.as_slice() else {
        bail!("usage: bench copy|files PROGRAM DIR SIZE|COUNT ROUNDS [json]");
    };
    let (dir, rounds) = (dir.into(), rounds.parse().context("ROUNDS")?);
    let (only, keep) = (Vec::new(), false);
    let report = match workload.as_str() {
        "copy" => {
            let size = parse_size(amount).map_err(anyhow::Error::msg)?;
            run_copy(&CopyOptions { dir, size, rounds, only, keep }, Path::new(program))?
        }
        "files" => {
            let (count, min, max) = (amount.parse().context("COUNT")?, 1 << 10, 64 << 10);
            let options = FilesOptions { dir, count, min, max, rounds, only, keep };
            run_files(&options, Path::new(program))?
        }
        other => bail!("no workload {other}"),
    };
    if rest.is_empty() {
        print!("{report}");
    } else {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(())
}
