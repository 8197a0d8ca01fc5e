//! The subcommands, one file each.

mod cluster;
mod copy;
mod init;
mod movement;
mod policy;
mod quickstart;
mod state;
mod tls;
mod tune;
mod volume;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::bench::{self, BenchCommand};
use crate::exit::{Code, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything once on this machine, with a report
    Quickstart(quickstart::Options),
    /// Make an archive and write a configuration
    Init(init::Options),
    /// Copy files out to the archive
    Archive(Paths),
    /// Give up the data of archived files; their sizes and attributes stay
    Release(Paths),
    /// Copy the data of released files back in
    Restore(movement::RestoreArguments),
    /// Drop the archive copies of files that are on disk
    Remove(movement::RemoveArguments),
    /// Show the state of files
    State(Paths),
    /// Copy a file or LUN to a file or LUN
    Copy(copy::Options),
    /// Look at, check and take out of an archive without its file systems
    #[command(subcommand)]
    Volume(volume::VolumeCommand),
    /// Space management: what is full, and what is done about it
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The sessions of a cluster
    #[command(subcommand)]
    Session(cluster::SessionCommand),
    /// The nodes of a cluster
    #[command(subcommand)]
    Node(cluster::NodeCommand),
    /// What was asked for, and how it stands
    #[command(subcommand)]
    Request(cluster::RequestCommand),
    /// Make the certificates of a cluster
    #[command(subcommand)]
    Tls(tls::TlsCommand),
    /// Look at how this machine is set up, and measure its devices
    #[command(subcommand)]
    Tune(tune::TuneCommand),
    /// Measure dray beside other tools
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// Files and directories; directories are gone through with all that is in them.
#[derive(Debug, Args)]
pub(crate) struct Paths {
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

pub(crate) fn run(
    command: Command,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    match command {
        Command::Quickstart(options) => quickstart::run(&options, output),
        Command::Init(options) => init::run(&options, config, output),
        Command::Archive(paths) => movement::archive(&paths.paths, config, output),
        Command::Release(paths) => movement::release(&paths.paths, config, output),
        Command::Restore(arguments) => movement::restore(&arguments, config, output),
        Command::Remove(arguments) => movement::remove(&arguments, config, output),
        Command::State(paths) => state::run(&paths.paths, output),
        Command::Copy(options) => copy::run(&options, output),
        Command::Volume(command) => volume::run(command, config, output),
        Command::Policy(command) => policy::run(&command, config, output),
        Command::Session(command) => cluster::session(&command, config, output),
        Command::Node(command) => cluster::node(&command, config, output),
        Command::Request(command) => cluster::request(&command, config, output),
        Command::Tls(command) => tls::run(&command, output),
        Command::Tune(command) => tune::run(&command, config, output),
        Command::Bench(command) => bench::run(command, config, output),
    }
}
