//! drayd: a node of a cluster, which may be its coordinator.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dray_archive::Archive;
use dray_client::{Client, Options, Pushed, Stream};
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_io::limits::SLOT_BYTES;
use dray_link::{Address, Listener};
use dray_server::Server;
use tokio::sync::watch;

use crate::agent::{Agent, EVERYWHERE};
use crate::config::{ArchiveConfig, Config, ConfigError, Hash, Mode, RingKind};
use crate::forward::forward;
use crate::machine::{Machine, MachineOptions};
use crate::office::{Office, make_parent};
use crate::places::Places;
use crate::service;
use crate::worker::{Setup, Worker};

/// Between two attempts to reach the coordinator.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a daemon could not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    #[error(transparent)]
    Archive(#[from] dray_archive::Error),
    #[error(transparent)]
    Server(#[from] dray_server::Error),
    #[error(transparent)]
    Store(#[from] dray_store::Error),
    #[error(transparent)]
    Client(#[from] dray_client::Error),
    #[error(transparent)]
    Link(#[from] dray_link::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{}: {cause}", path.display())]
    Path { path: PathBuf, cause: io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("the node is named {0}, which cluster.nodes does not have")]
    Unknown(String),
}

impl DaemonError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.advice(),
            Self::Server(error) => error.advice(),
            Self::Store(error) => error.advice(),
            Self::Client(error) => error.advice(),
            Self::Link(error) => error.advice(),
            Self::Config(_) | Self::Path { .. } => {
                "see that it is mounted, and that drayd may use it"
            }
            Self::Thread(_) => "see the limit on processes",
            Self::Unknown(_) => "set node.name to one of them",
        }
    }
}

/// The machine that a configuration describes.
pub fn machine_of(config: &Config) -> Machine {
    let mut options = MachineOptions {
        cores: config.engine.cores,
        hands: config.engine.hands,
        ..MachineOptions::default()
    };
    options.ring.choice = match config.engine.ring {
        RingKind::Auto => crate::RingChoice::Auto,
        RingKind::Uring => crate::RingChoice::Uring,
        RingKind::Blocking => crate::RingChoice::Blocking,
    };
    Machine::new(&options)
}

/// Bytes per request.
pub fn unit_of(config: &Config) -> u32 {
    let most = SLOT_BYTES as u32;
    match config.engine.io_bytes {
        0 => most,
        bytes => bytes.min(most),
    }
}

fn archives_of(
    files: &LinuxFiles,
    config: &Config,
) -> Result<Vec<Archive<LinuxFiles>>, DaemonError> {
    let open = |archive: &ArchiveConfig| Ok(Archive::open(files, &archive.place()?)?);
    config.archive.iter().map(open).collect()
}

/// Who coordinates.
enum Leader {
    Here(Arc<Server>),
    There(Address),
}

/// What a daemon is made of, ready to run.
pub struct Daemon {
    office: Office,
    agent: Agent,
    places: Places,
    /// Who coordinates.
    leader: Leader,
}

impl Daemon {
    /// Opens the archives, and starts the coordinator if this node is the one.
    pub fn new(config: &Config) -> Result<Self, DaemonError> {
        let office = Office::new(config)?;
        let machine = machine_of(config);
        let places = Places::find(machine.files(), config);
        let archives = archives_of(machine.files(), config)?;
        let alone = config.cluster.mode == Mode::Standalone;
        let file_systems = if alone {
            vec![EVERYWHERE]
        } else {
            places.managed.iter().map(|managed| managed.file_system).collect()
        };
        let hash = config.engine.hash == Hash::Blake3;
        let setup =
            Setup { machine, archives, places: places.clone(), unit: unit_of(config), hash };
        let (worker, reports) = Worker::new(setup);
        let agent = Agent::new(worker, reports, file_systems);
        let leader = if alone || config.cluster.coordinator == office.name {
            let server = office.start()?;
            office.open_socket(&server)?;
            office.open_door(&server)?;
            Leader::Here(Arc::new(server))
        } else {
            Leader::There(office.address_of(&config.cluster.coordinator)?)
        };
        Ok(Self { office, agent, places, leader })
    }

    /// Runs until told to stop, or until what it relies on is gone.
    pub fn run(mut self, stopped: watch::Receiver<bool>) -> Result<(), DaemonError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(DaemonError::Thread)?;
        let outcome = runtime.block_on(self.serve(stopped));
        // With it those who were passed on.
        drop(runtime);
        let closed = self.agent.into_worker().close();
        outcome?;
        closed?;
        Ok(())
    }

    async fn connect(&self) -> dray_client::Result<(Client, Pushed)> {
        let office = &self.office;
        let options = Options { cluster: office.cluster, ..Options::node(&office.name) };
        match &self.leader {
            Leader::There(address) => {
                Client::connect(address, office.credentials.as_ref(), &options).await
            }
            Leader::Here(server) => over(server, &options).await,
        }
    }

    async fn serve(&mut self, mut stopped: watch::Receiver<bool>) -> Result<(), DaemonError> {
        match &self.leader {
            Leader::Here(server) => self.serve_events(server),
            Leader::There(address) => {
                let socket = self.office.socket();
                make_parent(&socket)?;
                let options = self.office.local_options();
                let listener = Listener::bind(&Address::Unix(socket), options).await?;
                let credentials = self.office.credentials.clone();
                tokio::spawn(forward(listener, address.clone(), credentials));
            }
        }
        loop {
            let served = self.work(&mut stopped).await;
            // Nothing is begun any more, and what has begun is over before it joins again.
            self.agent.settle().await;
            match served {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "no coordinator: trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stopped.changed() => return Ok(()),
            }
        }
    }

    /// Has dray's own HSM service served by the coordinator of this node.
    fn serve_events(&self, server: &Arc<Server>) {
        let (server, places) = (Arc::clone(server), self.places.clone());
        tokio::spawn(async move {
            let served = async {
                let (client, pushed) = over(&server, &Options::client("service")).await?;
                // The server ends when nobody needs it any more, and with it this.
                drop(server);
                service::run(client, pushed, &places).await
            };
            if let Err(error) = served.await {
                tracing::warn!(%error, "the HSM service has ended");
            }
        });
    }

    /// Works for the coordinator until the connection ends, or this node is to end.
    async fn work(&mut self, stopped: &mut watch::Receiver<bool>) -> dray_client::Result<()> {
        if *stopped.borrow() {
            return Ok(());
        }
        let connected = tokio::select! {
            connected = self.connect() => connected,
            _ = stopped.changed() => return Ok(()),
        };
        let (client, pushed) = connected?;
        self.agent.serve(&client, pushed, stopped).await
    }
}

async fn over(server: &Server, options: &Options) -> dray_client::Result<(Client, Pushed)> {
    let link = server.attach().map_err(|_| dray_client::Error::Closed)?;
    let link = tokio::net::UnixStream::from_std(link);
    let link = link.map_err(|_| dray_client::Error::Closed)?;
    Client::over(Stream::from(link), options).await
}
