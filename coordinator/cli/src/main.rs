//! The `dray` command.
#![forbid(unsafe_code)]

mod bench;
mod commands;
mod door;
mod exit;
mod look;
mod output;
mod report;
mod requests;
mod session;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::{Command, run};
use crate::exit::Failure;
use crate::output::Output;

/// Data mover for hierarchical storage.
///
/// Moves file data between LUNs, files and an archive of self-describing volumes: through the
/// daemon of this machine where the configuration names one, else in this process.
#[derive(Debug, Parser)]
#[command(name = "dray", version, after_help = exit::HELP)]
struct Arguments {
    /// Configuration file [default: $DRAY_CONFIG, or /etc/dray/dray.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// One JSON object on standard output instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Neither progress bars nor reports
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json, arguments.quiet);
    match run(arguments.command, arguments.config.as_deref(), &output) {
        Ok(code) => code.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.code.into()
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: exit::Code::Failed, error, advice: None }
    }
}
