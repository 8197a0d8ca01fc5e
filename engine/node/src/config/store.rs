//! Where a coordinator keeps what it promises.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// An embedded store is here unless the configuration says otherwise.
const DIRECTORY: &str = "/var/lib/dray/store";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// On the disk of the node that coordinates.
    #[default]
    Embedded,
    /// Nowhere: what was asked for is forgotten with the daemon.
    Memory,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    #[serde(default)]
    pub kind: StoreKind,
    /// Of an embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
}

impl StoreConfig {
    pub fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| PathBuf::from(DIRECTORY))
    }

    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.kind == StoreKind::Memory && self.directory.is_some() {
            let why = "store.directory is for store.kind = \"embedded\"";
            return Err(ConfigError::Invalid(why.to_owned()));
        }
        Ok(())
    }
}
