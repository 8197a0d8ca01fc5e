//! One workload, by the engine that is named. Whoever runs it measures it.
#![forbid(unsafe_code)]

mod blocking;
mod glommio;
mod ring;
mod tokio;
mod work;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::work::{Copy, Reads};

#[derive(Debug, Parser)]
#[command(version = concat!(env!("CARGO_PKG_VERSION"), " (tokio-uring 0.5.0, glommio 0.9.0)"))]
struct Options {
    #[arg(value_enum)]
    engine: Engine,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    Ring,
    TokioUring,
    Glommio,
    Threads,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// Reads of one size at random places
    Read {
        file: PathBuf,
        #[arg(long)]
        count: u64,
        #[arg(long)]
        depth: u32,
        /// Bytes of each
        #[arg(long, default_value_t = 4096)]
        block: u32,
    },
    /// The whole of one file into another of the same size
    Copy {
        source: PathBuf,
        target: PathBuf,
        #[arg(long)]
        depth: u32,
        /// Bytes of each request
        #[arg(long, default_value_t = 1 << 20)]
        block: u32,
    },
}

fn main() -> anyhow::Result<()> {
    let Options { engine, workload } = Options::parse();
    match workload {
        Workload::Read { file, count, depth, block } => {
            let reads = Reads::new(file, count, depth, block)?;
            match engine {
                Engine::Ring => ring::read(&reads),
                Engine::TokioUring => tokio::read(reads),
                Engine::Glommio => glommio::read(reads),
                Engine::Threads => blocking::read(&reads),
            }
        }
        Workload::Copy { source, target, depth, block } => {
            let copy = Copy::new(source, target, depth, block)?;
            match engine {
                Engine::Ring => ring::copy(&copy),
                Engine::TokioUring => tokio::copy(copy),
                Engine::Glommio => glommio::copy(copy),
                Engine::Threads => blocking::copy(&copy),
            }
        }
    }
}
