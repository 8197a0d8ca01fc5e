//! `dray bench`.

mod results;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use dray_bench::{
    CoordinatorOptions, CopyOptions, EnginesOptions, FilesOptions, RecallOptions, Report,
    run_against, run_coordinator, run_copy, run_engines, run_files, run_recall,
};
use dray_device::{DeviceOptions, Error, Refusal, Summary, resolve, run_device};
use dray_results::{Environment, Latencies, Phase, Results, hgrm, write_file};

use serde::Serialize;

use self::results::ResultsCommand;
use crate::exit::{Code, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// One large file, by dray and by other tools in turn
    Copy(CopyOptions),
    /// A tree of small files, by dray and by other tools in turn
    Files(FilesOptions),
    /// Reads of released files, with the daemon of this machine
    Recall(RecallOptions),
    /// Devices and files under load: how much they do, how long each request takes
    Device(Box<DeviceOptions>),
    /// The engine's ring and other engines on the same reads and the same copy
    Engines(EnginesOptions),
    /// The coordinator alone: requests of clients, ordered from nodes that move nothing
    Coordinator(CoordinatorOptions),
    #[command(flatten)]
    Results(ResultsCommand),
}

pub(crate) fn run(
    command: BenchCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let dray = std::env::current_exe().map_err(anyhow::Error::from)?;
    match command {
        BenchCommand::Copy(options) => compared(&run_copy(&options, &dray)?, output),
        BenchCommand::Files(options) => compared(&run_files(&options, &dray)?, output),
        BenchCommand::Engines(options) => {
            let report = run_engines(&options, &dray)?;
            show(&report, output)?;
            Ok(code(&report.report))
        }
        BenchCommand::Recall(options) => show(&run_recall(&options, &dray, config)?, output),
        BenchCommand::Device(options) => device(&options, &dray, output),
        BenchCommand::Coordinator(options) => show(&run_coordinator(&options)?, output),
        BenchCommand::Results(command) => results::run(command, output),
    }
}

fn compared(report: &Report, output: &Output) -> Result<Code, Failure> {
    show(report, output)?;
    Ok(code(report))
}

fn code(report: &Report) -> Code {
    if report.failures().next().is_none() { Code::Done } else { Code::Failed }
}

fn show<R: Display + Serialize>(report: &R, output: &Output) -> Result<Code, Failure> {
    output.say(&report.to_string());
    output.result(&serde_json::to_value(report).map_err(anyhow::Error::from)?);
    Ok(Code::Done)
}

fn device(options: &DeviceOptions, dray: &Path, output: &Output) -> Result<Code, Failure> {
    let refused = |refusal: Refusal| Failure::usage(refusal.to_string());
    dray_bench::watch_interrupts()?;
    if options.dry_run || !options.against.is_empty() {
        let resolved = resolve(options).map_err(refused)?;
        if !options.dry_run {
            let report = run_against(options, &resolved, dray, std::env::args_os().skip(1))?;
            return show(&report, output);
        }
        output.result(&serde_json::to_value(&resolved).map_err(anyhow::Error::from)?);
        for (name, value) in resolved {
            output.say(&format!("{name}={value}"));
        }
        return Ok(Code::Done);
    }
    let capture = |paths: &[PathBuf]| {
        Environment::capture(env!("CARGO_PKG_VERSION"), paths).map_err(|error| error.to_string())
    };
    let run =
        run_device(options, &capture, &dray_bench::interrupted).map_err(|error| match error {
            Error::Refused(refusal) => refused(refusal),
            error => anyhow::Error::from(error).into(),
        })?;
    output.say(&Summary(&run).to_string());
    let wrong = |phase: &Phase| phase.verified.as_ref().is_some_and(|found| found.wrong > 0);
    let code = match &run.partial {
        None if run.phases.iter().any(wrong) => Code::Damage,
        None => Code::Done,
        Some(why) => {
            output.warn(why);
            if dray_bench::interrupted() { Code::Partial } else { Code::Failed }
        }
    };
    let kept = write(options, &Results::of_one(run), output);
    Ok(if kept { code } else { Code::Failed })
}

/// Into the files that are named, and to standard output; whether all of it came there. What fails
/// does not keep the others from being written.
fn write(options: &DeviceOptions, results: &Results, output: &Output) -> bool {
    if output.json {
        print!("{}", results.to_json(std::time::SystemTime::now()));
    }
    let files = [
        options.output.as_ref().map(|path| results.write(path)),
        options.csv.as_ref().map(|path| write_file(path, results.to_csv().as_bytes())),
        options.log.as_ref().map(|path| write_file(path, results.to_hlog().as_bytes())),
        options.hgrm.as_ref().map(|path| write_file(path, hgrm(&responses(results)).as_bytes())),
    ];
    let mut kept = true;
    for error in files.into_iter().flatten().filter_map(Result::err) {
        output.warn(&error.to_string());
        kept = false;
    }
    kept
}

/// Response times of all reads and writes of the last phase.
fn responses(results: &Results) -> Latencies {
    let mut all = Latencies::default();
    if let Some(phase) = results.run.phases.last() {
        all.add(phase.total.read.response());
        all.add(phase.total.write.response());
    }
    all
}
