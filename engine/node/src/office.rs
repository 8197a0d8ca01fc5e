//! The coordinator of a node: how it is set up, and where it is heard.

use std::path::PathBuf;
use std::time::SystemTime;

use dray_link::{Address, Credentials, ListenOptions};
use dray_server::{CoreSetup, Durable, Server};
use dray_store::Embedded;
use dray_wire::{Cluster, Epoch};

use crate::config::{Config, Mode, StoreKind};
use crate::daemon::DaemonError;
use crate::node::ALONE_NS;

/// Who may read and write the socket: the owner; others are checked by their uid.
const SOCKET_MODE: u32 = 0o666;

/// The cluster with a name.
fn cluster_of(name: &str) -> Cluster {
    let mut id = [0; 16];
    // Two halves, so that short names fill it, too.
    let seed = dray_io::sum::crc32c(name.as_bytes());
    for (at, byte) in id.iter_mut().enumerate() {
        let more = dray_io::sum::crc32c(&[name.as_bytes(), &[at as u8]].concat());
        *byte = (more ^ seed.rotate_left(at as u32)) as u8;
    }
    if name.is_empty() { Cluster::default() } else { Cluster(id) }
}

/// What a coordinator of this node needs to know.
pub(crate) struct Office {
    pub(crate) config: Config,
    pub(crate) name: String,
    pub(crate) cluster: Cluster,
    pub(crate) credentials: Option<Credentials>,
}

impl Office {
    pub(crate) fn new(config: &Config) -> Result<Self, DaemonError> {
        let tls = config.tls.as_ref();
        let loaded = tls.map(|tls| Credentials::load(&tls.ca, &tls.cert, &tls.key));
        Ok(Self {
            config: config.clone(),
            name: config.node_name(),
            cluster: cluster_of(&config.cluster.name),
            credentials: loaded.transpose()?,
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.config.socket()
    }

    /// Who may use the socket is decided by uid, so that a refused user is told so.
    pub(crate) fn local_options(&self) -> ListenOptions {
        let node = self.config.node.as_ref();
        let allow_uids = node.map(|it| it.allow_uids.clone()).unwrap_or_default();
        ListenOptions { allow_uids, mode: SOCKET_MODE, ..ListenOptions::default() }
    }

    /// Where a node listens while it coordinates.
    pub(crate) fn address_of(&self, node: &str) -> Result<Address, DaemonError> {
        let address = self.config.cluster.nodes.get(node).cloned();
        address.ok_or_else(|| DaemonError::Unknown(node.to_owned()))
    }

    pub(crate) fn setup(&self, epoch: Epoch) -> CoreSetup {
        let (cluster, name) = (self.cluster, self.name.clone());
        let mut setup = CoreSetup { cluster, name, epoch, ..CoreSetup::default() };
        if self.config.cluster.mode == Mode::Standalone {
            setup.lease_ns = ALONE_NS;
        } else {
            // Nodes may still be doing what an earlier coordinator ordered.
            setup.grace_ns = setup.lease_ns + setup.lease_ns / 4;
        }
        if self.config.cluster.split_bytes > 0 {
            setup.split_bytes = self.config.cluster.split_bytes;
        }
        if self.config.cluster.part_bytes > 0 {
            setup.part_bytes = self.config.cluster.part_bytes;
        }
        setup
    }

    /// Starts the coordinator, with what one before it promised.
    pub(crate) fn start(&self) -> Result<(Server, Epoch), DaemonError> {
        if self.config.store.kind == StoreKind::Memory {
            // Grows with each start, as long as the clock of the machine does.
            let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let epoch = Epoch(seconds.unwrap_or_default().as_secs());
            return Ok((Server::start(self.setup(epoch))?, epoch));
        }
        let directory = self.config.store.directory();
        let store = Embedded::open(&directory, self.cluster.0)?;
        let epoch = Epoch(store.epoch());
        let durable = Durable { store: Box::new(store), until: None };
        Ok((Server::start_durable(self.setup(epoch), durable)?, epoch))
    }

    /// Has a coordinator listen for programs of this machine.
    pub(crate) fn open_socket(&self, server: &Server) -> Result<(), DaemonError> {
        let socket = self.socket();
        make_parent(&socket)?;
        server.listen(Address::Unix(socket), self.local_options())?;
        Ok(())
    }

    /// Has a coordinator listen for other nodes, if there are any.
    pub(crate) fn open_door(&self, server: &Server) -> Result<(), DaemonError> {
        let Some(credentials) = self.credentials.clone() else { return Ok(()) };
        let address = self.address_of(&self.name)?;
        let credentials = Some(credentials);
        let options = ListenOptions { credentials, ..ListenOptions::default() };
        let bound = server.listen(address, options)?;
        tracing::info!(%bound, "coordinating");
        Ok(())
    }
}

pub(crate) fn make_parent(path: &std::path::Path) -> Result<(), DaemonError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent)
        .map_err(|cause| DaemonError::Path { path: parent.to_owned(), cause })
}
