//! A node as part of a cluster: one engine, which serves one coordinator after the other.

use std::sync::Arc;

use dray_archive::Archive;
use dray_client::{Client, Options, Stream};
use dray_fs::LinuxFiles;
use tokio::sync::watch;

use crate::agent::{Agent, EVERYWHERE};
use crate::machine::Machine;
use crate::node::{Finished, NodeError};
use crate::places::Places;
use crate::worker::{self, Worker};

/// What a node works with.
pub struct MemberSetup {
    /// Its name in the cluster, which is that of its certificate.
    pub name: String,
    pub machine: Machine,
    /// In the order of the configuration, which `places` refer to.
    pub archives: Vec<Archive<LinuxFiles>>,
    pub places: Places,
    /// File systems that it tells the coordinator it reaches; none for every one.
    pub file_systems: Vec<[u8; 16]>,
    /// Bytes per request.
    pub unit: u32,
    /// Keep a BLAKE3 of every file.
    pub hash: bool,
}

/// A node. What it was granted and its lease end with each connection; its threads and open
/// archives stay.
pub struct Member {
    agent: Agent,
    name: String,
}

impl Member {
    pub fn new(setup: MemberSetup) -> Self {
        let MemberSetup { name, machine, archives, places, mut file_systems, unit, hash } = setup;
        if file_systems.is_empty() {
            file_systems.push(EVERYWHERE);
        }
        let (worker, reports) =
            Worker::new(worker::Setup { machine, archives, places, unit, hash });
        Self { agent: Agent::new(worker, reports, file_systems), name }
    }

    /// Its figures, while they grow.
    pub fn watch(&self) -> Finished {
        Finished::of(Arc::clone(self.agent.worker().shared()))
    }

    /// Joins the coordinator at the other end and does what it is told, until the connection ends
    /// (an error) or `stop` changes. Comes back when all that was begun is over, so that it can be
    /// called again at once; needs a runtime of tokio with I/O and time.
    pub async fn serve_over(
        &mut self,
        stream: Stream,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), NodeError> {
        let (client, pushed) = Client::over(stream, &Options::node(&self.name)).await?;
        let served = self.agent.serve(&client, pushed, stop).await;
        self.agent.settle().await;
        Ok(served?)
    }

    /// Ends its threads and closes the archives. Blocks: not to be called from a runtime.
    pub fn close(self) -> Result<Finished, NodeError> {
        Ok(Finished::of(self.agent.into_worker().close()?))
    }
}
