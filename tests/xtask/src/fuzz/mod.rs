//! `cargo xtask fuzz`: the decoders of the protocol under libFuzzer.

mod build;
mod decoder;
mod keep;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use decoder::Decoder;

/// Half an hour.
const SECONDS: u64 = 1800;

/// Where things are.
pub(crate) struct Places {
    /// tests/fuzz of the repository.
    pub(crate) home: PathBuf,
    /// Below the target directory: what is built and found.
    pub(crate) out: PathBuf,
    /// Where the programs are.
    pub(crate) programs: PathBuf,
}

pub(crate) fn run(mut args: Args) -> Result<()> {
    let seconds: u64 = args.value("--seconds")?.unwrap_or(SECONDS);
    let target: Option<String> = args.value("--target")?;
    let kind: Option<String> = args.value("--kind")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs: usize = args.value("--jobs")?.unwrap_or(cores);
    let keep = args.flag("--keep");
    args.done()?;

    let chosen = decoder::choose(target.as_deref(), kind.as_deref())?;
    let places = build::build()?;
    let count = chosen.len();
    println!("\n{count} decoders, {seconds} s each, {jobs} at a time");
    println!("{:<24} {:>14} {:>8} {:>8}", "decoder", "executions", "edges", "inputs");
    let failed = all(&places, chosen.clone(), seconds, jobs.max(1))?;
    if keep {
        keep::keep(&places, &chosen)?;
    }
    if !failed.is_empty() {
        let folder = places.out.join("findings");
        bail!("findings in {} (see {})", failed.join(", "), folder.display());
    }
    println!("no findings");
    Ok(())
}

/// Runs them, so many at a time. The names of those that found something.
fn all(places: &Places, chosen: Vec<Decoder>, seconds: u64, jobs: usize) -> Result<Vec<String>> {
    let queue = Mutex::new(VecDeque::from(chosen));
    let next = || queue.lock().expect("no worker panics with it").pop_front();
    let worker = || -> Result<Vec<String>> {
        let mut failed = Vec::new();
        while let Some(decoder) = next() {
            let report = decoder.run(places, seconds).with_context(|| decoder.name.clone())?;
            println!("{:<24} {report}", decoder.name);
            if report.found {
                failed.push(decoder.name);
            }
        }
        Ok(failed)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let mut failed = Vec::new();
        for worker in workers {
            failed.extend(worker.join().expect("a worker returns its errors")?);
        }
        Ok(failed)
    })
}

/// A folder without anything in it.
pub(crate) fn fresh(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
