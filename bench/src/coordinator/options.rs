//! What `dray bench coordinator` can be told.

use std::path::PathBuf;

use clap::Args;

use super::place::StoreKind;

fn positive(most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

/// The coordinator alone: clients, one coordinator, and nodes that move nothing.
#[derive(Args, Clone, Debug)]
pub struct CoordinatorOptions {
    /// Requests of each round, over all clients
    #[arg(long, default_value_t = 1_000_000, value_parser = positive(16_000_000))]
    pub requests: u32,
    /// Nodes; each answers an order at once
    #[arg(long, default_value_t = 2, value_parser = positive(64))]
    pub nodes: u32,
    /// Clients that submit at the same time
    #[arg(long, default_value_t = 4, value_parser = positive(64))]
    pub clients: u32,
    /// Items of a submission
    #[arg(long, default_value_t = 1000, value_parser = positive(4096))]
    pub batch: u32,
    /// Requests of a client that have not ended
    #[arg(long, default_value_t = 16_384, value_parser = positive(16_000_000))]
    pub open: u32,
    /// Give every item a name of 60 bytes
    #[arg(long)]
    pub names: bool,
    /// Lengths of the queue at which submitting and cancelling are measured
    #[arg(long, value_name = "LENGTHS", value_delimiter = ',',
          default_values_t = [0, 100_000, 1_000_000],
          value_parser = clap::value_parser!(u32).range(..=16_000_000))]
    pub queue: Vec<u32>,
    /// Archives in whose presence a restore is measured
    #[arg(long, default_value_t = 100_000, value_parser = positive(16_000_000))]
    pub archives: u32,
    /// Restores measured, idle and behind the archives
    #[arg(long, default_value_t = 1000, value_parser = positive(1_000_000))]
    pub restores: u32,
    /// Microseconds that a node takes for each order of archives while restores are measured
    #[arg(long, default_value_t = 1000)]
    pub order_us: u32,
    /// Timed rounds
    #[arg(long, default_value_t = 5, value_parser = positive(1000))]
    pub rounds: u32,
    /// What keeps the requests
    #[arg(long, value_enum, default_value_t = StoreKind::Memory)]
    pub store: StoreKind,
    /// Where an embedded store or an etcd is made, and removed again
    #[arg(long, value_name = "DIR")]
    pub store_dir: Option<PathBuf>,
    /// Connect through a socket at this path, not by pairs of sockets; to the coordinators of the
    /// lengths at PATH.LENGTH
    #[arg(long, value_name = "PATH")]
    pub listen: Option<PathBuf>,
}
