//! drayd: a node of a cluster, which may be its coordinator.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dray_archive::Archive;
use dray_client::Options;
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_link::{Address, Listener};
use dray_server::Server;
use tokio::sync::watch;

use crate::agent::{Agent, EVERYWHERE};
use crate::config::{ArchiveConfig, Config, ConfigError, Hash, Mode, RingKind, StoreKind};
#[cfg(feature = "etcd")]
use crate::elected::Elected;
use crate::forward::forward;
use crate::leader::{Leader, Way};
use crate::machine::{Machine, MachineOptions};
use crate::office::{Office, make_parent};
use crate::places::Places;
use crate::policy::{self, Policy};
use crate::recall::Recall;
use crate::service;
use crate::worker::{Setup, Worker};

/// Between two attempts to reach the coordinator.
const AGAIN: Duration = Duration::from_millis(200);

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
    let engine = config.engine();
    let mut options = MachineOptions {
        cores: engine.cores,
        hands: engine.hands,
        holder: config.recall.as_ref().map(|recall| recall.socket.clone()),
        ..MachineOptions::default()
    };
    options.ring.slots = engine.depth();
    options.ring.slot_bytes = engine.unit();
    options.ring.choice = match engine.ring {
        RingKind::Auto => crate::RingChoice::Auto,
        RingKind::Uring => crate::RingChoice::Uring,
        RingKind::Blocking => crate::RingChoice::Blocking,
    };
    Machine::new(&options)
}

/// Bytes per request.
pub fn unit_of(config: &Config) -> u32 {
    config.engine().unit()
}

fn archives_of(
    files: &LinuxFiles,
    config: &Config,
) -> Result<Vec<Archive<LinuxFiles>>, DaemonError> {
    let open = |archive: &ArchiveConfig| Ok(Archive::open(files, &archive.place()?)?);
    config.archive.iter().map(open).collect()
}

/// What a daemon is made of, ready to run.
pub struct Daemon {
    office: Arc<Office>,
    agent: Agent,
    places: Places,
    leading: Leading,
    way: Way,
    /// Sees to accesses of released files, if it is to.
    _recall: Option<Recall>,
    /// Sees to space, if it is to.
    _policy: Option<Policy>,
}

/// How it is decided who coordinates.
enum Leading {
    /// By the configuration: this node does.
    Here(Arc<Server>),
    /// By the configuration: another does.
    There,
    #[cfg(feature = "etcd")]
    Elected(Option<Elected>),
}

impl Daemon {
    /// Opens the archives, and starts the coordinator if this node is the one.
    pub fn new(config: &Config) -> Result<Self, DaemonError> {
        let office = Arc::new(Office::new(config)?);
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
        let (leading, leader) = leading(&office)?;
        let way = Way::new(leader, office.credentials.clone());
        let directories = places.managed.iter().map(|managed| managed.path.clone()).collect();
        let recall = config.recall.as_ref();
        let recall =
            recall.map(|recall| Recall::start(recall.socket.clone(), directories, way.clone()));
        let _recall = recall.transpose()?;
        let areas = policy::areas(config, &places);
        if !areas.is_empty() && config.recall.is_none() {
            tracing::warn!("files released to make space read as zeros: nothing recalls them");
        }
        let _policy = Policy::start(areas, &way, &office.socket())?;
        Ok(Self { office, agent, places, leading, way, _recall, _policy })
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

    async fn serve(&mut self, mut stopped: watch::Receiver<bool>) -> Result<(), DaemonError> {
        match &mut self.leading {
            // It listens on the socket itself.
            Leading::Here(server) => {
                tokio::spawn(service::serve(Arc::clone(server), self.places.clone()));
            }
            Leading::There => self.open_socket().await?,
            #[cfg(feature = "etcd")]
            Leading::Elected(elected) => {
                let elected = elected.take().expect("a daemon is run once");
                tokio::spawn(elected.run(Arc::clone(&self.office), self.places.clone()));
                self.open_socket().await?;
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
                () = self.again() => {}
                _ = stopped.changed() => return Ok(()),
            }
        }
    }

    /// Comes back when it is worth trying again.
    async fn again(&self) {
        tokio::time::sleep(AGAIN).await;
        self.way.somebody().await;
    }

    /// Lets programs of this machine through to whoever coordinates.
    async fn open_socket(&self) -> Result<(), DaemonError> {
        let socket = self.office.socket();
        make_parent(&socket)?;
        let listener = Listener::bind(&Address::Unix(socket), self.office.local_options()).await?;
        tokio::spawn(forward(listener, self.way.clone()));
        Ok(())
    }

    /// Works for the coordinator until the connection ends, another coordinates, or this node is
    /// to end.
    async fn work(&mut self, stopped: &mut watch::Receiver<bool>) -> dray_client::Result<()> {
        if *stopped.borrow() {
            return Ok(());
        }
        let office = &self.office;
        let options = Options { cluster: office.cluster, ..Options::node(&office.name) };
        let connected = tokio::select! {
            connected = self.way.connect(&options) => connected,
            _ = stopped.changed() => return Ok(()),
        };
        let (client, pushed, who) = connected?;
        tokio::select! {
            served = self.agent.serve(&client, pushed, stopped) => served,
            () = self.way.replaced(&who) => Err(dray_client::Error::Closed),
        }
    }
}

/// Who coordinates, and how that is decided.
fn leading(office: &Office) -> Result<(Leading, watch::Receiver<Leader>), DaemonError> {
    let (cluster, store) = (&office.config.cluster, &office.config.store);
    if store.kind == StoreKind::Etcd {
        #[cfg(feature = "etcd")]
        {
            let (elected, leader) = Elected::start(office)?;
            return Ok((Leading::Elected(Some(elected)), leader));
        }
        #[cfg(not(feature = "etcd"))]
        unreachable!("such a configuration is refused");
    }
    let (leading, leader) =
        if cluster.mode == Mode::Standalone || cluster.coordinator == office.name {
            let (server, epoch) = office.start()?;
            let server = Arc::new(server);
            office.open_socket(&server)?;
            office.open_door(&server)?;
            (Leading::Here(Arc::clone(&server)), Leader::Here(server, epoch))
        } else {
            (Leading::There, Leader::There(office.address_of(&cluster.coordinator)?))
        };
    // It stays so: nobody waits for a change when the other end is gone.
    Ok((leading, watch::channel(leader).1))
}
