//! `dray bench`.

mod results;

use std::path::Path;

use clap::Subcommand;
use dray_bench::{
    CoordinatorOptions, CopyOptions, FilesOptions, RecallOptions, Report, run_coordinator,
    run_copy, run_files, run_recall,
};

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
    let report: Report = match command {
        BenchCommand::Copy(options) => run_copy(&options, &dray)?,
        BenchCommand::Files(options) => run_files(&options, &dray)?,
        BenchCommand::Recall(options) => {
            let report = run_recall(&options, &dray, config)?;
            output.say(&report.to_string());
            output.result(&serde_json::to_value(&report).map_err(anyhow::Error::from)?);
            return Ok(Code::Done);
        }
        BenchCommand::Results(command) => return results::run(command, output),
        BenchCommand::Coordinator(options) => {
            let report = run_coordinator(&options)?;
            output.say(&report.to_string());
            output.result(&serde_json::to_value(&report).map_err(anyhow::Error::from)?);
            return Ok(Code::Done);
        }
    };
    output.say(&report.to_string());
    output.result(&serde_json::to_value(&report).map_err(anyhow::Error::from)?);
    Ok(if report.failures().next().is_none() { Code::Done } else { Code::Failed })
}
