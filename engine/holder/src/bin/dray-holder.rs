//! The process that outlives drayd, so that a released file never reads as zeros.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dray_holder::Keeper;

/// Holds the watch over managed file systems. Start it before anybody uses them, and drayd after
/// it; end it only when nobody uses them any more.
#[derive(Debug, Parser)]
#[command(name = "dray-holder", version)]
struct Arguments {
    /// Where drayd finds it
    #[arg(long, value_name = "PATH", default_value = "/run/dray/holder.sock")]
    socket: PathBuf,
    /// A directory on a file system to watch from the start; drayd names those of its
    /// configuration
    #[arg(long, value_name = "DIR")]
    watch: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("dray-holder: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let at = |path: &PathBuf| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    if let Some(parent) = arguments.socket.parent() {
        std::fs::create_dir_all(parent).map_err(at(&arguments.socket))?;
    }
    dray_holder::prepare();
    let keeper = Keeper::new(&arguments.socket).map_err(|error| {
        format!("{}: {error}\n      it needs root, and Linux 6.14", arguments.socket.display())
    })?;
    for directory in &arguments.watch {
        keeper.watch(directory).map_err(at(directory))?;
    }
    tracing::info!(socket = %arguments.socket.display(), "the watch is held");
    keeper.run().map_err(|error| error.to_string())
}
