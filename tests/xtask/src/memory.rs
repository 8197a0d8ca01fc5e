//! `cargo xtask memory`: that what `dray` keeps in memory does not grow with what it moves.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::args::Args;
use crate::place::Place;
use crate::{host, run, test};

/// Times that the larger one may take: batches and segments are full only then, and the allocator
/// keeps holes of what it was given back. Twenty times the files would show anything kept per file.
const ALLOWED: f64 = 1.5;
const FILES_PER_DIRECTORY: u64 = 1000;
const FILE_BYTES: usize = 100;
/// A stretch of data in each so many bytes of a sparse file.
const ISLAND_EVERY: u64 = 128 << 20;
const ISLAND_BYTES: usize = 3 << 20;
const STEPS: [&str; 3] = ["archive", "release", "restore"];

pub(crate) fn run(mut args: Args) -> Result<()> {
    let files: u64 = args.value("--files")?.unwrap_or(1_000_000);
    let gib: u64 = args.value("--gib")?.unwrap_or(32);
    let dir: Option<PathBuf> = args.value("--dir")?;
    let out: Option<PathBuf> = args.value("--out")?;
    args.done()?;
    let product = test::build_product()?;
    let dir = dir.unwrap_or_else(std::env::temp_dir);

    let mut result = json!({ "machine": host::describe(&dir) });
    let trees = [files.div_ceil(20), files]
        .map(|count| peaks(&product, &dir, &format!("{count} files"), &|fs| make_files(fs, count)));
    let sparse = [1, gib].map(|gib| {
        peaks(&product, &dir, &format!("a sparse file of {gib} GiB"), &|fs| make_sparse(fs, gib))
    });
    let mut grown = Vec::new();
    for (name, pair) in [("files", trees), ("sparse", sparse)] {
        let [small, large] = pair;
        let (small, large) = (small?, large?);
        grown.extend(STEPS.into_iter().filter(|step| {
            let bytes = |of: &Value| of[step].as_f64().unwrap_or(f64::NAN);
            let ratio = bytes(&large) / bytes(&small);
            println!("{name:<7} {step:<8} {ratio:.2} times the memory of the smaller one");
            ratio.is_nan() || ratio > ALLOWED
        }));
        result[name] = json!([small, large]);
    }
    if let Some(out) = out {
        let out = run::top().join(out);
        fs::write(&out, serde_json::to_string_pretty(&result)? + "\n")
            .with_context(|| format!("{}", out.display()))?;
    }
    if !grown.is_empty() {
        bail!("memory grows in {}", grown.join(", "));
    }
    Ok(())
}

/// Peak resident bytes of each step on what `make` puts into a directory.
fn peaks(
    product: &Path,
    dir: &Path,
    what: &str,
    make: &dyn Fn(&Path) -> Result<()>,
) -> Result<Value> {
    let place = Place(dir.join(format!("dray-memory-{}", std::process::id())));
    let (fs, archive) = (place.0.join("fs"), place.0.join("archive"));
    fs::create_dir_all(&fs).with_context(|| format!("{}", fs.display()))?;
    make(&fs)?;
    let config = place.0.join("dray.toml");
    let dray = |words: &[&str], path: &Path| -> Result<Value> {
        let mut command = run::program(product);
        command.arg("--config").arg(&config).arg("--json").args(words).arg(path);
        let text = run::output(&mut command).with_context(|| run::text(&command))?;
        Ok(serde_json::from_str(&text)?)
    };
    let mut init = run::program(product);
    init.arg("--config").arg(&config).args(["init", "--fs"]).arg(&fs).arg("--archive").arg(archive);
    run::step(&mut init)?;
    let mut result = json!({ "what": what });
    for step in STEPS {
        let report = dray(&[step], &fs)?;
        let peak = report["detail"]["peak_resident_bytes"].as_u64();
        let peak = peak.with_context(|| format!("{step} reports no peak_resident_bytes"))?;
        println!("{what}: {step} {:.1} MiB", peak as f64 / f64::from(1 << 20));
        result[step] = peak.into();
    }
    Ok(result)
}

fn make_files(fs: &Path, count: u64) -> Result<()> {
    for number in 0..count {
        let directory = fs.join(format!("{}", number / FILES_PER_DIRECTORY));
        if number.is_multiple_of(FILES_PER_DIRECTORY) {
            fs::create_dir(&directory)?;
        }
        let path = directory.join(format!("{number}"));
        fs::write(&path, [number as u8; FILE_BYTES]).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn make_sparse(fs: &Path, gib: u64) -> Result<()> {
    let file = File::create(fs.join("sparse"))?;
    let size = gib << 30;
    file.set_len(size)?;
    let island: Vec<u8> = (0..ISLAND_BYTES).map(|at| (at >> 8) as u8 ^ at as u8).collect();
    for at in (0..size).step_by(ISLAND_EVERY as usize) {
        file.write_all_at(&island, at + 12_345)?;
    }
    Ok(file.sync_all()?)
}
