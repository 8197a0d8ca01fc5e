//! Where the coordinator that is measured keeps what it promises.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dray_server::{CoreSetup, Durable, Server};
use serde::Serialize;
use tempfile::TempDir;

#[cfg(feature = "etcd")]
use super::etcd::Cluster;
use super::options::CoordinatorOptions;

/// What keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// Nothing: it ends with the coordinator
    Memory,
    /// A store on this machine's disk
    Embedded,
    /// An etcd of three members on this machine, started for this
    Etcd,
}

pub(super) const CLUSTER: [u8; 16] = *b"dray bench      ";

/// One place, which is empty at first.
pub(super) enum Place {
    Memory,
    Embedded(TempDir),
    #[cfg(feature = "etcd")]
    Etcd(Box<Cluster>),
}

impl Place {
    pub(super) fn new(options: &CoordinatorOptions) -> Result<Self> {
        Ok(match options.store {
            StoreKind::Memory => Self::Memory,
            StoreKind::Embedded => Self::Embedded(directory(options)?),
            #[cfg(feature = "etcd")]
            StoreKind::Etcd => Self::Etcd(Box::new(Cluster::start(directory(options)?)?)),
            #[cfg(not(feature = "etcd"))]
            StoreKind::Etcd => anyhow::bail!(
                "this dray was built without etcd: build it with `--features etcd`, which needs \
                 protoc"
            ),
        })
    }

    /// Whether a coordinator that starts here takes up what one before it promised.
    pub(super) fn is_durable(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Starts a coordinator with what is here.
    pub(super) fn start(&self) -> Result<Server> {
        let (epoch, durable) = match self {
            Self::Memory => return Ok(Server::start(CoreSetup::default())?),
            Self::Embedded(directory) => {
                let store = dray_store::Embedded::open(directory.path(), CLUSTER)?;
                (store.epoch(), Durable { store: Box::new(store), until: None })
            }
            #[cfg(feature = "etcd")]
            Self::Etcd(cluster) => cluster.open()?,
        };
        let epoch = dray_wire::Epoch(epoch);
        Ok(Server::start_durable(CoreSetup { epoch, ..CoreSetup::default() }, durable)?)
    }
}

fn directory(options: &CoordinatorOptions) -> Result<TempDir> {
    let parent = options.store_dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let mut directory = tempfile::Builder::new();
    let directory = directory.prefix("dray-bench-").tempdir_in(&parent);
    directory.with_context(|| parent.display().to_string())
}
