//! Where a coordinator keeps what it promises.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Mode};

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
    /// In an etcd, with the election of the node that coordinates.
    Etcd,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    #[serde(default)]
    pub kind: StoreKind,
    /// Of an embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Of the members of an etcd: `http://host:port`, or `https://` with the three files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// PEM files with which this node and the etcd know each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

impl StoreConfig {
    pub fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| PathBuf::from(DIRECTORY))
    }

    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        let etcd = self.kind == StoreKind::Etcd;
        let files = [&self.ca, &self.cert, &self.key];
        let given = files.iter().filter(|file| file.is_some()).count();
        let wrong = if self.directory.is_some() && self.kind != StoreKind::Embedded {
            "store.directory is for store.kind = \"embedded\""
        } else if !etcd && (!self.endpoints.is_empty() || given > 0) {
            "store.endpoints, ca, cert and key are for store.kind = \"etcd\""
        } else if etcd && self.endpoints.is_empty() {
            "store.kind = \"etcd\" needs store.endpoints"
        } else if etcd && mode == Mode::Standalone {
            "store.kind = \"etcd\" is for cluster.mode = \"cluster\""
        } else if given != 0 && given != files.len() {
            "store.ca, store.cert and store.key go together"
        } else if etcd && cfg!(not(feature = "etcd")) {
            "this drayd was built without etcd: build it with `--features etcd`"
        } else {
            return Ok(());
        };
        Err(ConfigError::Invalid(wrong.to_owned()))
    }
}
