//! `dray archive`, `release`, `restore`, `remove`.

use std::path::{Path, PathBuf};

use clap::Args;
use dray_fs::LinuxFiles;
use dray_io::Range;
use dray_mover::Tally;
use dray_node::config::Config;
use dray_node::{Finished, excluded};
use dray_wire::Verb;
use dray_wire::messages::ACCEPT_CONTENT;

use crate::door::{Door, host};
use crate::exit::{Code, Failure};
use crate::output::{Output, Reporter, with_progress};
use crate::report::Report;
use crate::requests::{Ask, Totals, run_tree};
use crate::session::{Session, Stopwatch};

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

/// Whether it was done to the end.
type Outcome = Result<(), Failure>;

/// A tree, what is to be done with it, and how that went.
pub(crate) struct Movement<'a> {
    pub(crate) command: &'static str,
    pub(crate) verb: &'a str,
    pub(crate) ask: Ask,
    pub(crate) totals: Totals,
    pub(crate) reporter: Reporter<'a>,
}

impl<'a> Movement<'a> {
    pub(crate) fn new(command: &'static str, verb: &'a str, ask: Ask, output: &'a Output) -> Self {
        let (totals, reporter) = (Totals::default(), Reporter::new(output));
        Self { command, verb, ask, totals, reporter }
    }

    /// Has it done, through the daemon of this machine or else in this process. The report comes
    /// also where it was not done to the end.
    pub(crate) fn run(
        &self,
        session: Session,
        paths: &[PathBuf],
        output: &Output,
    ) -> Result<(Report, Outcome), Failure> {
        let (roots, _) = session.managed(paths)?;
        let file_system = session.managed_name(&roots);
        let Some(mut door) = Door::to_session(&session.config, &file_system, output)? else {
            return self
                .run_here(session, paths, output)
                .map(|(report, outcome, _)| (report, outcome));
        };
        let tree = (roots, excluded(&session.config));
        let outcome = self.follow(&mut door, session.files(), tree, output);
        let closed = door.close();
        let report = self.report(&session.stopwatch, None);
        Ok((report, outcome.and(closed.map(drop))))
    }

    /// The same in this process, whatever daemons there are; with the figures of the engine.
    pub(crate) fn run_here(
        &self,
        session: Session,
        paths: &[PathBuf],
        output: &Output,
    ) -> Result<(Report, Outcome, Option<Finished>), Failure> {
        let (roots, archive) = session.managed(paths)?;
        let (archive, stopwatch) = (archive.name.clone(), session.stopwatch);
        let tree = (roots, excluded(&session.config));
        let mut door = host(session, &archive, self.command)?;
        let outcome = self.follow(&mut door, &LinuxFiles::new(), tree, output);
        // Closing before reporting: what it gives back and notes is part of the work.
        let (finished, closed) = match door.close() {
            Ok(finished) => (finished, Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let report = self.report(&stopwatch, finished.as_ref());
        Ok((report, outcome.and(closed), finished))
    }

    fn follow(
        &self,
        door: &mut Door,
        files: &LinuxFiles,
        tree: (Vec<PathBuf>, Vec<PathBuf>),
        output: &Output,
    ) -> Result<(), Failure> {
        // Bytes as they move, where that can be seen.
        let live = door.hosted.as_ref().map(|hosted| hosted.watch());
        let counts = || {
            let files = Totals::count(&self.totals.files);
            let bytes = match &live {
                Some(live) => Tally::count(&live.tally().bytes),
                None => Totals::count(&self.totals.bytes),
            };
            (files, bytes, self.totals.place())
        };
        with_progress(output, self.verb, &counts, || {
            run_tree(door, files, tree, self.ask, &self.totals, &self.reporter)
        })
    }

    fn report(&self, stopwatch: &Stopwatch, engine: Option<&Finished>) -> Report {
        Report::new(
            self.command,
            stopwatch,
            &self.totals,
            &self.reporter,
            engine.map(|it| (it.tally(), it.machine())),
        )
    }
}

/// Runs a command and reports.
fn run(
    command: &'static str,
    verb: &str,
    ask: Ask,
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let movement = Movement::new(command, verb, ask, output);
    let (report, outcome) = movement.run(Session::open(config)?, paths, output)?;
    if outcome.is_ok() || !output.json {
        report.show(output);
    }
    outcome?;
    Ok(movement.reporter.code(&movement.totals))
}

pub(crate) fn archive(
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    run("archive", "archiving", Ask::new(Verb::ARCHIVE), paths, config, output)
}

pub(crate) fn release(
    paths: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let ask = Ask::new(Verb::RELEASE);
    let code = run("release", "releasing", ask, paths, config, output)?;
    if Config::load(config).is_ok_and(|config| config.recall.is_none()) {
        output.say(
            "released files read as zeros until they are restored: [recall] is not configured",
        );
    }
    Ok(code)
}

pub(crate) fn restore(
    arguments: &RestoreArguments,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let ask = Ask { range: arguments.range, ..Ask::new(Verb::RESTORE) };
    run("restore", "restoring", ask, &arguments.paths, config, output)
}

pub(crate) fn remove(
    arguments: &RemoveArguments,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let flags = if arguments.accept_content { ACCEPT_CONTENT } else { 0 };
    let ask = Ask { flags, ..Ask::new(Verb::REMOVE) };
    run("remove", "removing", ask, &arguments.paths, config, output)
}
