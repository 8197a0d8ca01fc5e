//! How long programs wait for data of released files.

mod flood;

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dray_device::parse_size;
use serde::Serialize;

use crate::cold::{can_drop_caches, empty_cache, touch_memory};
use crate::data::{Random, make_file};
use crate::table::write_aligned;
use flood::Flood;

/// What one reads at a random place.
const READ_BYTES: u64 = 64 << 10;
const BUFFER: usize = 1 << 20;

/// Options of `dray bench recall`.
#[derive(Debug, Clone, Args)]
pub struct RecallOptions {
    /// A managed directory whose accesses are watched; files are made below it, and removed again
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Sizes of the files
    #[arg(long, value_delimiter = ',', value_parser = parse_size, default_value = "64k,4M,256M,1G")]
    pub sizes: Vec<u64>,
    /// Reads of 64 KiB at random places of a released file, for each size
    #[arg(long, default_value_t = 200)]
    pub reads: u32,
    /// Rounds of reading all of a released file from front to back, and of `dray restore`
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Measure once more while files of so many bytes are archived over and over; the archive
    /// grows by what is archived meanwhile
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub flood: Option<u64>,
}

/// Of one size.
#[derive(Debug, Clone, Serialize)]
pub struct RecallSize {
    /// Bytes of the file.
    pub size: u64,
    #[serde(flatten)]
    pub idle: RecallTimes,
    /// The same while other files are archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood: Option<RecallFlood>,
}

/// With what is archived meanwhile.
#[derive(Debug, Clone, Serialize)]
pub struct RecallFlood {
    #[serde(flatten)]
    pub times: RecallTimes,
    /// That of the flood.
    pub archived_bytes_per_s: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct RecallTimes {
    /// Reads of 64 KiB at random places, each of data that was not there. A small file is released
    /// anew for each.
    pub reads: usize,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    /// Reading all of the released file, and restoring it with `dray restore`; medians.
    pub whole_s: f64,
    pub restore_s: f64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct RecallReport {
    pub format: u32,
    pub sizes: Vec<RecallSize>,
    pub conditions: Vec<String>,
}

/// The product, and the configuration that it is run with.
struct Dray<'a> {
    program: &'a Path,
    config: Option<&'a Path>,
}

impl Dray<'_> {
    fn run(&self, verb: &str, path: &Path) -> Result<Duration> {
        let mut command = Command::new(self.program);
        if let Some(config) = self.config {
            command.arg("--config").arg(config);
        }
        command.arg(verb).arg(path).stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let output = command.stderr(Stdio::piped()).output().context("run dray")?;
        let took = began.elapsed();
        ensure!(
            output.status.success(),
            "dray {verb} {}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(took)
    }
}

/// Reads of a large file between two releases. A file has a limited number of separate ranges
/// (`docs/state.md`); from there on each read also has to fill a gap.
const TOGETHER: u32 = 64;

/// Measures with the daemon that the configuration names.
pub fn run_recall(
    options: &RecallOptions,
    dray: &Path,
    config: Option<&Path>,
) -> Result<RecallReport> {
    let dray = Dray { program: dray, config };
    let folder = tempfile::Builder::new().prefix("dray-bench-").tempdir_in(&options.dir);
    let folder = folder.with_context(|| options.dir.display().to_string())?;
    let flood = options.flood.map(|bytes| Flood::new(folder.path(), bytes)).transpose()?;
    let mut sizes = Vec::new();
    for size in &options.sizes {
        sizes.push(one_size(options, &dray, folder.path(), (*size, flood.as_ref()))?);
    }
    let conditions = vec![
        "p50 and p99 are of single reads of 64 KiB, from the call to its return".to_owned(),
        format!(
            "a file above 16 MiB is released anew after {TOGETHER} reads, at places 256 KiB apart \
             at least"
        ),
        format!("page cache dropped before each round: {}", can_drop_caches()),
    ];
    Ok(RecallReport { format: 2, sizes, conditions })
}

fn one_size(
    options: &RecallOptions,
    dray: &Dray<'_>,
    folder: &Path,
    (size, flood): (u64, Option<&Flood>),
) -> Result<RecallSize> {
    let path = folder.join(format!("f{size}"));
    make_file(&path, size, size)?;
    dray.run("archive", &path)?;
    let measure = || times_of(options, dray, &path, size);
    let idle = measure()?;
    let flood = flood.map(|flood| flood.over(dray, measure)).transpose()?;
    let flood =
        flood.map(|(times, archived_bytes_per_s)| RecallFlood { times, archived_bytes_per_s });
    fs::remove_file(&path)?;
    Ok(RecallSize { size, idle, flood })
}

fn times_of(
    options: &RecallOptions,
    dray: &Dray<'_>,
    path: &Path,
    size: u64,
) -> Result<RecallTimes> {
    let times = reads(options, dray, path, size)?;
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let (mut whole, mut restores) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(1) {
        // The page cache grows by the file; by twice that on a loop device that goes through it.
        release(dray, path)?;
        touch_memory(2 * size);
        whole.push(read_all(path, size)?);
        release(dray, path)?;
        touch_memory(2 * size);
        restores.push(dray.run("restore", path)?);
    }
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Ok(RecallTimes {
        reads: times.len(),
        p50_ns: nanoseconds(at(0.5)),
        p99_ns: nanoseconds(at(0.99)),
        max_ns: nanoseconds(at(1.0)),
        whole_s: median(whole),
        restore_s: median(restores),
    })
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// Archives what was read back without certainty, and gives the data up.
fn release(dray: &Dray<'_>, path: &Path) -> Result<()> {
    dray.run("release", path)?;
    empty_cache(can_drop_caches())?;
    ensure!(is_released(path)?, "{} was not released", path.display());
    Ok(())
}

/// Less than half of it is on disk.
fn is_released(path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let stat = fs::metadata(path)?;
    Ok(stat.blocks() * 512 < stat.len() / 2)
}

/// Times of single reads, sorted.
fn reads(
    options: &RecallOptions,
    dray: &Dray<'_>,
    path: &Path,
    size: u64,
) -> Result<Vec<Duration>> {
    const ONCE: u64 = 16 << 20;
    const APART: u64 = 256 << 10;
    let mut random = Random::new(size);
    let mut buffer = vec![0; READ_BYTES.min(size) as usize];
    let mut times = Vec::new();
    let mut places: Vec<u64> = (1..size / APART).collect();
    for read in 0..options.reads {
        crate::interrupt::check()?;
        let offset = if size > ONCE {
            if read % TOGETHER == 0 {
                release(dray, path)?;
            }
            if places.is_empty() {
                break;
            }
            let index = random.next() % places.len() as u64;
            places.swap_remove(index as usize) * APART
        } else {
            release(dray, path)?;
            random.next() % (size - buffer.len() as u64 + 1)
        };
        let file = File::open(path)?;
        let began = Instant::now();
        file.read_exact_at(&mut buffer, offset).context("read a released file")?;
        times.push(began.elapsed());
        if buffer.iter().all(|byte| *byte == 0) {
            bail!("{} reads as zeros at {offset}: its accesses are not watched", path.display());
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn read_all(path: &Path, size: u64) -> Result<Duration> {
    let mut buffer = vec![0; BUFFER];
    let began = Instant::now();
    let mut file = File::open(path)?;
    let mut total = 0;
    loop {
        let got = file.read(&mut buffer).context("read a released file")?;
        if got == 0 {
            break;
        }
        total += got as u64;
    }
    ensure!(total == size, "{} has {total} of {size} bytes", path.display());
    Ok(began.elapsed())
}

impl fmt::Display for RecallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["size", "reads", "half", "99 of 100", "all", "all / dray restore"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for it in &self.sizes {
            let name = format!("{} KiB", it.size >> 10);
            let flood = it.flood.iter().map(|flood| (format!("{name}, flood"), &flood.times));
            for (name, times) in std::iter::once((name.clone(), &it.idle)).chain(flood) {
                let ms = |ns: u64| format!("{:.2} ms", ns as f64 / 1e6);
                rows.push(vec![
                    name,
                    times.reads.to_string(),
                    ms(times.p50_ns),
                    ms(times.p99_ns),
                    format!("{:.0} MiB/s", it.size as f64 / times.whole_s / f64::from(1 << 20)),
                    format!("{:.2}x", times.restore_s / times.whole_s),
                ]);
            }
        }
        write_aligned(f, &rows)?;
        self.conditions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
