//! `dray copy`.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context;
use clap::Args;
use dray_fs::{LinuxFile, LinuxFiles, device_size, open_device_exclusive, queue_limits};
use dray_io::limits::SUM_BLOCK;
use dray_io::{Access, Context as _, Fault, Files, Operation};
use dray_mover::{CopyOptions, Error, Run, Side, Standing, Tally, Watch, copy, standing};
use serde_json::json;

use super::init::refusal;
use crate::exit::{Code, Failure};
use crate::output::{Output, Reporter, with_progress};
use crate::report::Report;
use crate::requests::Totals;
use crate::session::Session;
use dray_node::config::{Config, Engine};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// File or LUN
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// File, which is replaced once its new content is durable, or LUN
    #[arg(value_name = "DST")]
    target: PathBuf,
    /// Read the copy back and compare sums
    #[arg(long)]
    verify: bool,
    /// Cores that move data; 0 for all but one
    #[arg(long, default_value_t = 0)]
    cores: usize,
    /// Bytes per request, a multiple of 65536
    #[arg(long, default_value_t = 0)]
    io_bytes: u32,
}

/// One side, open.
struct End {
    path: PathBuf,
    file: LinuxFile,
    size: u64,
    is_lun: bool,
}

impl End {
    fn side(&self) -> Side<'_, LinuxFile> {
        Side { file: &self.file, path: &self.path, size: self.size, is_lun: self.is_lun }
    }
}

/// A target file under a name of its own until it is whole; removed if it never is.
struct Pending<'a> {
    files: &'a LinuxFiles,
    path: PathBuf,
    kept: bool,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.kept && self.files.unlink(&self.path).is_err() {
            eprintln!("dray: could not remove {}", self.path.display());
        }
    }
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<Code, Failure> {
    let engine = Engine { cores: options.cores, io_bytes: options.io_bytes, ..Engine::default() };
    let config = Config::of_engine(engine);
    let session = Session::with(config.map_err(|error| Failure::usage(error.to_string()))?);
    let files = session.files();
    let source = open_source(files, &options.source)?;
    let wanted = target_path(&options.target, &source.path)?;
    check_distinct(&source.path, &wanted)?;
    let is_lun = std::fs::metadata(&wanted).is_ok_and(|it| it.file_type().is_block_device());
    if is_lun {
        let target = open_lun(&wanted, true)?;
        return transfer(&session, options, &source, &target, output, || Ok(()));
    }
    let (pending, target) = create_target(files, &wanted)?;
    let mut pending = pending;
    let finish = || {
        let mode = std::fs::metadata(&source.path).map_or(0o600, |it| it.permissions().mode());
        if !source.is_lun {
            let permissions = std::fs::Permissions::from_mode(mode & 0o777);
            std::fs::set_permissions(&pending.path, permissions)
                .during(Operation::SetMetadata, &pending.path)?;
        }
        files.rename(&pending.path, &wanted).during(Operation::Rename, &wanted)?;
        pending.kept = true;
        let directory = wanted.parent().unwrap_or(Path::new("/"));
        Ok(files.sync_dir(directory).during(Operation::Flush, directory)?)
    };
    transfer(&session, options, &source, &target, output, finish)
}

fn open_source(files: &LinuxFiles, path: &Path) -> Result<End, Failure> {
    let path =
        std::fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))?;
    let kind = std::fs::metadata(&path).during(Operation::Stat, &path)?.file_type();
    if kind.is_block_device() {
        return open_lun(&path, false);
    }
    if !kind.is_file() {
        return Err(Failure::usage(format!("{} is neither a file nor a LUN", path.display())));
    }
    let file = files.open(&path, Access::ReadDirect).during(Operation::Open, &path)?;
    let (stat, standing) = standing(files, &file, &path)?;
    // What is not on disk would be copied as zeros.
    if matches!(standing, Standing::Away { .. } | Standing::Foreign(_)) {
        return Err(Error::NotResident { path }.into());
    }
    Ok(End { path, file, size: stat.size, is_lun: false })
}

fn open_lun(path: &Path, write: bool) -> Result<End, Failure> {
    let file = open_device_exclusive(path, write).map_err(|error| refusal(path, error))?;
    let size = device_size(&file).during(Operation::Stat, path)?;
    Ok(End { path: path.to_owned(), file, size, is_lun: true })
}

/// Where to copy to: in a directory, the name of the source.
fn target_path(target: &Path, source: &Path) -> Result<PathBuf, Failure> {
    if let Ok(existing) = std::fs::canonicalize(target) {
        return Ok(match (existing.is_dir(), source.file_name()) {
            (true, Some(name)) => existing.join(name),
            _ => existing,
        });
    }
    let name = target.file_name();
    let name = name.ok_or_else(|| Failure::usage(format!("{} is no name", target.display())))?;
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = std::fs::canonicalize(parent)
        .with_context(|| format!("cannot find {}", parent.display()))?;
    Ok(parent.join(name))
}

/// Refuses a copy of something onto itself, by whatever names.
fn check_distinct(source: &Path, target: &Path) -> Result<(), Failure> {
    let (Ok(a), Ok(b)) = (std::fs::metadata(source), std::fs::metadata(target)) else {
        return Ok(());
    };
    let same_device =
        a.file_type().is_block_device() && b.file_type().is_block_device() && a.rdev() == b.rdev();
    if same_device || (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        let (source_path, target) = (source.to_owned(), target.to_owned());
        return Err(Error::SameFile { source_path, target }.into());
    }
    if !b.file_type().is_file() && !b.file_type().is_block_device() {
        return Err(Failure::usage(format!("{} is neither a file nor a LUN", target.display())));
    }
    Ok(())
}

fn create_target<'a>(files: &'a LinuxFiles, wanted: &Path) -> Result<(Pending<'a>, End), Fault> {
    let mut name = std::ffi::OsString::from(".");
    // Long names would not fit with an addition.
    let shown: String =
        wanted.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    name.push(shown);
    name.push(format!(".dray-{}", std::process::id()));
    let path = wanted.with_file_name(name);
    let file = files.create(&path, true).during(Operation::Create, &path)?;
    let pending = Pending { files, path: path.clone(), kept: false };
    Ok((pending, End { path, file, size: 0, is_lun: false }))
}

/// What the queues of both ends take without splitting a request.
fn unit(session: &Session, source: &End, target: &End) -> u32 {
    let limit = |end: &End| queue_limits(&end.file).unwrap_or(u64::MAX);
    let least = limit(source).min(limit(target)).min(u64::from(session.unit()));
    u32::try_from((least / SUM_BLOCK).max(1) * SUM_BLOCK).unwrap_or(u32::MAX)
}

/// One file only: whether it was copied is what `copy` returns.
struct Alone;

impl Watch for Alone {
    fn failed(&self, _path: &Path, _error: &Error) {}
}

fn transfer(
    session: &Session,
    options: &Options,
    source: &End,
    target: &End,
    output: &Output,
    finish: impl FnOnce() -> Result<(), Failure>,
) -> Result<Code, Failure> {
    let (tally, reporter) = (Tally::default(), Reporter::new(output));
    let run = Run { tally: &tally, watch: &Alone };
    let counts = || (0, Tally::count(&tally.bytes), String::new());
    let unit = unit(session, source, target);
    let moved = with_progress(output, "copying", &counts, || {
        let options = CopyOptions { unit, verify: options.verify };
        copy(&session.machine, &source.side(), &target.side(), options, &run)
    })?;
    finish()?;
    let totals = Totals::default();
    totals.bytes.store(Tally::count(&tally.bytes), Ordering::Relaxed);
    let engine = Some((&tally, &session.machine));
    let report = Report::new("copy", &session.stopwatch, &totals, &reporter, engine);
    let mut value = report.json();
    value["crc32c"] = json!(format!("{:08x}", moved.sum));
    value["holes"] = json!(moved.holes);
    value["verified"] = json!(options.verify);
    if let Some(notice) = session.machine.notice() {
        output.warn(&notice);
    }
    output.say(&format!("{}; CRC-32C {:08x}", report.text(), moved.sum));
    output.result(&value);
    Ok(Code::Done)
}
