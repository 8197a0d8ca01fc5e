//! The journal and the election in an etcd: `docs/store.md`, *etcd*.

mod election;
mod head;
mod journal;
pub mod local;
mod members;

use std::time::Duration;

pub use election::{Election, Lead, Leads};
pub use journal::Etcd;

use crate::error::Hex;

/// Where an etcd is, and which part of it is meant.
#[derive(Debug, Clone)]
pub struct EtcdSetup {
    /// Of its members: `http://host:port`, or `https://` with `tls`.
    pub endpoints: Vec<String>,
    pub tls: Option<EtcdTls>,
    /// Id of the cluster.
    pub cluster: [u8; 16],
    /// For how long one leads without being heard; [`LEAD`](crate::limits::LEAD) is the usual.
    /// etcd counts in seconds.
    pub lead: Duration,
}

/// PEM texts with which members of an etcd and this process know each other.
#[derive(Clone)]
pub struct EtcdTls {
    pub ca: Vec<u8>,
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
}

impl std::fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdTls").finish_non_exhaustive()
    }
}

impl EtcdSetup {
    fn key(&self, name: &str) -> String {
        format!("/dray/{}/{name}", Hex(self.cluster))
    }

    fn leader_key(&self) -> String {
        self.key("leader")
    }

    fn head_key(&self) -> String {
        self.key("head")
    }

    /// Twenty digits hold every number, so keys are in the order of the blocks.
    fn block_key(&self, number: u64) -> String {
        self.key(&format!("journal/{number:020}"))
    }
}
