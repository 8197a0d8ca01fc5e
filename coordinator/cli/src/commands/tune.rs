//! `dray tune`.

use std::path::Path;

use clap::Subcommand;
use dray_node::config::{Config, location};
use dray_tuning::{DoctorOptions, ProbeError, ProbeOptions, run_doctor, run_probe};

use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::session;

#[derive(Debug, Subcommand)]
pub(crate) enum TuneCommand {
    /// Look at how this machine is set up; says nothing if all is well
    Doctor(DoctorOptions),
    /// Measure a device, and write a profile that drayd loads
    Probe(ProbeOptions),
}

pub(crate) fn run(
    command: &TuneCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    match command {
        TuneCommand::Doctor(options) => doctor(options, config, output),
        TuneCommand::Probe(options) => probe(options, output),
    }
}

/// A machine may be looked at before there is a configuration.
fn known(config: Option<&Path>) -> Result<Option<Config>, Failure> {
    let named = config.is_some() || location(None).exists();
    named.then(|| session::load(config)).transpose()
}

fn doctor(
    options: &DoctorOptions,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let report =
        run_doctor(options, known(config)?).map_err(|error| Failure::usage(error.to_string()))?;
    let text = report.to_string();
    if !text.is_empty() {
        output.say(&text);
    }
    output.result(&serde_json::to_value(&report).map_err(anyhow::Error::from)?);
    Ok(if report.findings.is_empty() { Code::Done } else { Code::Found })
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
