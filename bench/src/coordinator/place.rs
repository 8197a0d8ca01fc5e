//! Where the coordinator that is measured keeps what it promises.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dray_server::{CoreSetup, Durable, Server};
use serde::Serialize;
use tempfile::TempDir;

use super::options::CoordinatorOptions;

/// What keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// Nothing: it ends with the coordinator
    Memory,
    /// A store on this machine's disk
    Embedded,
}

const CLUSTER: [u8; 16] = *b"dray bench      ";

/// One place, which is empty at first.
pub(super) struct Place {
    directory: Option<TempDir>,
}

impl Place {
    pub(super) fn new(options: &CoordinatorOptions) -> Result<Self> {
        let directory = match options.store {
            StoreKind::Memory => None,
            StoreKind::Embedded => {
                let parent = options.store_dir.clone().unwrap_or_else(|| PathBuf::from("."));
                let mut directory = tempfile::Builder::new();
                let directory = directory.prefix("dray-bench-").tempdir_in(&parent);
                Some(directory.with_context(|| parent.display().to_string())?)
            }
        };
        Ok(Self { directory })
    }

    /// Whether a coordinator that starts here takes up what one before it promised.
    pub(super) fn is_durable(&self) -> bool {
        self.directory.is_some()
    }

    /// Starts a coordinator with what is here.
    pub(super) fn start(&self) -> Result<Server> {
        let setup = CoreSetup::default();
        let Some(directory) = &self.directory else { return Ok(Server::start(setup)?) };
        let store = dray_store::Embedded::open(directory.path(), CLUSTER)?;
        let epoch = dray_wire::Epoch(store.epoch());
        let durable = Durable { store: Box::new(store), until: None };
        Ok(Server::start_durable(CoreSetup { epoch, ..setup }, durable)?)
    }
}
