//! `dray archive`, `release`, `restore`, `remove`.

use std::path::{Path, PathBuf};

use clap::Args;
use dray_archive::Archive;
use dray_fs::LinuxFiles;
use dray_io::Range;
use dray_mover::{ArchiveOptions, Entry, RemoveOptions, RestoreOptions, Run, Tally, Walk};

use crate::config::Hash;
use crate::exit::{Code, Failure};
use crate::output::{Output, Reporter, with_progress};
use crate::report::Report;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only these bytes of each file, widened to checksum blocks
    #[arg(long, value_name = "OFFSET:LENGTH", value_parser = parse_range)]
    pub(crate) range: Option<Range>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take what is on disk now for the content of files that were written to while released;
    /// their archive copies are kept
    #[arg(long)]
    pub(crate) accept_content: bool,
}

fn parse_range(text: &str) -> Result<Range, String> {
    let (offset, length) = text.split_once(':').ok_or("write it as OFFSET:LENGTH, in bytes")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (offset, length) = (number(offset)?, number(length)?);
    let end = offset.checked_add(length).ok_or("the range ends beyond 2^64")?;
    if length == 0 { Err("the range is empty".to_owned()) } else { Ok(Range::new(offset, end)) }
}

type Job<'a> =
    &'a dyn Fn(&Session, &Archive<LinuxFiles>, Vec<PathBuf>, &Run<'_>) -> dray_mover::Result<()>;

/// Runs `job` on the archive of `paths` and reports.
fn run(
    command: &'static str,
    verb: &str,
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
    job: Job<'_>,
) -> Result<Code, Failure> {
    let session = Session::open(config)?;
    let (roots, archive) = session.managed(paths)?;
    let archive = session.open_archive(archive)?;
    let (tally, reporter) = (Tally::default(), Reporter::new(output));
    let run = Run { tally: &tally, watch: &reporter };
    let outcome = with_progress(output, verb, &tally, || job(&session, &archive, roots, &run));
    // Closing before reporting: what it gives back and notes is part of the work.
    let closed = archive.close(session.files());
    let report = Report::new(command, &session, &tally, &reporter);
    if outcome.is_ok() || !output.json {
        report.show(output);
    }
    outcome?;
    closed?;
    Ok(reporter.code(&tally))
}

/// Everything under `roots` that is not the archive's own.
fn walk(session: &Session, roots: Vec<PathBuf>) -> Walk<'_, LinuxFiles> {
    Walk::new(session.files(), roots, session.excluded())
}

pub(crate) fn archive(
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    run("archive", "archiving", paths, config, output, &|session, archive, roots, run| {
        let options = ArchiveOptions {
            hash: session.config.engine.hash == Hash::Blake3,
            unit: session.unit(),
        };
        dray_mover::archive(&session.machine, archive, &mut walk(session, roots), options, run)
    })
}

pub(crate) fn release(
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let code =
        run("release", "releasing", paths, config, output, &|session, archive, roots, run| {
            dray_mover::release(&session.machine, archive, &mut walk(session, roots), run)
        })?;
    output.say(
        "released files read as zeros until they are restored: nothing recalls them by itself in \
         standalone mode",
    );
    Ok(code)
}

pub(crate) fn restore(
    arguments: &RestoreArguments,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let paths = &arguments.paths;
    run("restore", "restoring", paths, config, output, &|session, archive, roots, run| {
        let options = RestoreOptions { unit: session.unit() };
        let part = |entry| Entry { range: arguments.range, ..entry };
        let mut feed = walk(session, roots).map(|found| found.map(part));
        dray_mover::restore(&session.machine, archive, &mut feed, options, run)
    })
}

pub(crate) fn remove(
    arguments: &RemoveArguments,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let paths = &arguments.paths;
    run("remove", "removing", paths, config, output, &|session, archive, roots, run| {
        let options = RemoveOptions { accept_content: arguments.accept_content };
        dray_mover::remove(&session.machine, archive, &mut walk(session, roots), options, run)
    })
}
