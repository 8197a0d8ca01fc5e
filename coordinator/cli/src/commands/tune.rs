//! `dray tune`.

use std::path::Path;

use clap::Subcommand;
use dray_tuning::{ProbeError, ProbeOptions, run_probe};

use crate::exit::{Code, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum TuneCommand {
    /// Measure a device, and write a profile that drayd loads
    Probe(ProbeOptions),
}

pub(crate) fn run(
    command: &TuneCommand,
    _config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    match command {
        TuneCommand::Probe(options) => probe(options, output),
    }
}

fn probe(options: &ProbeOptions, output: &Output) -> Result<Code, Failure> {
    let bar = output.progress("probe");
    let report = run_probe(options, &|doing| bar.set_message(doing.to_owned()));
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        ProbeError::Io(fault) => fault.into(),
        other => Failure::usage(other.to_string()),
    })?;
    output.say(&report.to_string());
    output.result(&report.json());
    Ok(Code::Done)
}
