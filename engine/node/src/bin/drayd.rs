//! The daemon: one on every node.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dray_node::config::Config;
use dray_node::{Daemon, DaemonError};
use tokio::sync::watch;

/// A node of dray: moves what the coordinator orders, and coordinates if it is to.
///
/// Ends on SIGTERM and SIGINT when it has done what it has begun.
#[derive(Debug, Parser)]
#[command(name = "drayd", version)]
struct Arguments {
    /// Configuration file [default: $DRAY_CONFIG, or /etc/dray/dray.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = if arguments.verbose { tracing::Level::DEBUG } else { tracing::Level::INFO };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // Colours are no use in a file, and in the way of whoever looks through it.
    log.with_ansi(std::io::stderr().is_terminal()).init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, advice)) => {
            eprintln!("drayd: {error}\n      {advice}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), (String, &'static str)> {
    let config = Config::load(arguments.config.as_deref())
        .map_err(|error| (error.to_string(), "see docs/config.md"))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "drayd begins");
    let wrong = |error: DaemonError| (error.to_string(), error.advice());
    let daemon = Daemon::new(&config).map_err(wrong)?;
    let (stop, stopped) = watch::channel(false);
    let signals = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let kinds = [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT];
        if let Ok(mut signals) = signal_hook::iterator::Signals::new(kinds)
            && signals.forever().next().is_some()
        {
            // Nobody hears it if the daemon has ended by itself.
            let _ = stop.send(true);
        }
    });
    signals.map_err(|error| (error.to_string(), "see the limit on processes"))?;
    daemon.run(stopped).map_err(wrong)
}
