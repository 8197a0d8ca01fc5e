//! drayd: a node of a cluster, which may be its coordinator.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dray_archive::Archive;
use dray_client::{Client, Options, Pushed, Stream};
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_io::limits::SLOT_BYTES;
use dray_link::{Address, Credentials, ListenOptions, Listener};
use dray_server::{CoreSetup, Server};
use dray_wire::{Cluster, Deframer, Epoch, Message, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::agent::{Agent, EVERYWHERE};
use crate::config::{ArchiveConfig, Config, ConfigError, Hash, Mode, RingKind};
use crate::machine::{Machine, MachineOptions};
use crate::node::ALONE_NS;
use crate::places::Places;
use crate::service;
use crate::worker::{Setup, Worker};

/// Between two attempts to reach the coordinator.
const AGAIN: Duration = Duration::from_millis(500);
/// For reaching the coordinator on behalf of a program of this machine.
const FORWARD: Duration = Duration::from_secs(10);
/// Bytes within which a program has to have said *Hello*.
const HELLO_BYTES: usize = 4096;
/// Who may read and write the socket: the owner; others are checked by their uid.
const SOCKET_MODE: u32 = 0o666;

/// Why a daemon could not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    #[error(transparent)]
    Archive(#[from] dray_archive::Error),
    #[error(transparent)]
    Server(#[from] dray_server::Error),
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

/// How this node reaches the coordinator.
enum Way {
    Here,
    There { address: Address, credentials: Credentials },
}

/// What a daemon is made of, ready to run.
pub struct Daemon {
    name: String,
    agent: Agent,
    /// Where this node coordinates.
    server: Option<(Server, UnixStream)>,
    way: Way,
    places: Places,
    cluster: Cluster,
    socket: PathBuf,
    allow_uids: Vec<u32>,
}

impl Daemon {
    /// Opens the archives, and starts the coordinator if this node is the one.
    pub fn new(config: &Config) -> Result<Self, DaemonError> {
        let name = config.node_name();
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
        let cluster = cluster_of(&config.cluster.name);
        let socket = config.socket();
        let allow_uids = config.node.as_ref().map(|it| it.allow_uids.clone()).unwrap_or_default();
        let credentials = credentials(config)?;
        let coordinates = alone || config.cluster.coordinator == name;
        let (server, way) = if coordinates {
            let server = start_server(config, &name, cluster, &socket, &allow_uids, &credentials)?;
            let service = server.attach()?;
            (Some((server, service)), Way::Here)
        } else {
            let coordinator = config.cluster.nodes.get(&config.cluster.coordinator);
            let address = coordinator.cloned();
            let unknown = || DaemonError::Unknown(config.cluster.coordinator.clone());
            let address = address.ok_or_else(unknown)?;
            let credentials = credentials.ok_or_else(unknown)?;
            (None, Way::There { address, credentials })
        };
        Ok(Self { name, agent, server, way, places, cluster, socket, allow_uids })
    }

    /// Runs until told to stop, or until what it relies on is gone.
    pub fn run(mut self, stopped: watch::Receiver<bool>) -> Result<(), DaemonError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(DaemonError::Thread)?;
        let outcome = runtime.block_on(self.serve(stopped));
        let closed = self.agent.into_worker().close();
        drop(self.server);
        outcome?;
        closed?;
        Ok(())
    }

    async fn connect(&self) -> dray_client::Result<(Client, Pushed)> {
        let options = Options { cluster: self.cluster, ..Options::node(&self.name) };
        match (&self.way, &self.server) {
            (Way::There { address, credentials }, _) => {
                Client::connect(address, Some(credentials), &options).await
            }
            (Way::Here, Some((server, _))) => {
                let link = server.attach().map_err(|_| dray_client::Error::Closed)?;
                over(link, &options).await
            }
            (Way::Here, None) => unreachable!("who coordinates has a server"),
        }
    }

    async fn serve(&mut self, mut stopped: watch::Receiver<bool>) -> Result<(), DaemonError> {
        if let Some((_, service)) = &self.server {
            let link = service.try_clone().map_err(DaemonError::Thread)?;
            let (client, pushed) = over(link, &Options::client("service")).await?;
            let places = self.places.clone();
            tokio::spawn(async move {
                if let Err(error) = service::run(client, pushed, &places).await {
                    tracing::warn!(%error, "the HSM service has ended");
                }
            });
        } else if let Way::There { address, credentials } = &self.way {
            let options = local_options(&self.allow_uids);
            let listener = Listener::bind(&Address::Unix(self.socket.clone()), options).await?;
            tokio::spawn(forward(listener, address.clone(), credentials.clone()));
        }
        loop {
            let served = tokio::select! {
                connected = self.connect() => match connected {
                    Ok((client, pushed)) => {
                        self.agent.serve(&client, pushed, &mut stopped).await
                    }
                    Err(error) => Err(error),
                },
                _ = stopped.changed() => Ok(()),
            };
            self.agent.settle().await;
            if *stopped.borrow() {
                return Ok(());
            }
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
}

fn credentials(config: &Config) -> Result<Option<Credentials>, DaemonError> {
    let tls = config.tls.as_ref();
    let loaded = tls.map(|tls| Credentials::load(&tls.ca, &tls.cert, &tls.key));
    Ok(loaded.transpose()?)
}

fn local_options(allow_uids: &[u32]) -> ListenOptions {
    let allow_uids = allow_uids.to_vec();
    // Who may connect is decided by uid, so that a refused user is told so.
    ListenOptions { allow_uids, mode: SOCKET_MODE, ..ListenOptions::default() }
}

fn start_server(
    config: &Config,
    name: &str,
    cluster: Cluster,
    socket: &Path,
    allow_uids: &[u32],
    credentials: &Option<Credentials>,
) -> Result<Server, DaemonError> {
    // Grows with each start, as long as the clock of the machine does.
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = Epoch(seconds.as_secs());
    let mut setup = CoreSetup { cluster, name: name.to_owned(), epoch, ..CoreSetup::default() };
    if config.cluster.mode == Mode::Standalone {
        setup.lease_ns = ALONE_NS;
    } else {
        // Nodes may still be doing what an earlier coordinator ordered.
        setup.grace_ns = setup.lease_ns + setup.lease_ns / 4;
    }
    if config.cluster.split_bytes > 0 {
        setup.split_bytes = config.cluster.split_bytes;
    }
    if config.cluster.part_bytes > 0 {
        setup.part_bytes = config.cluster.part_bytes;
    }
    let server = Server::start(setup)?;
    if let Some(parent) = socket.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|cause| DaemonError::Path { path: parent.to_owned(), cause })?;
    }
    server.listen(Address::Unix(socket.to_owned()), local_options(allow_uids))?;
    if let Some(credentials) = credentials {
        let address = config.cluster.nodes.get(name);
        let address = address.ok_or_else(|| DaemonError::Unknown(name.to_owned()))?;
        let credentials = Some(credentials.clone());
        let options = ListenOptions { credentials, ..ListenOptions::default() };
        let bound = server.listen(address.clone(), options)?;
        tracing::info!(%bound, %epoch, "coordinating");
    }
    Ok(server)
}

async fn over(link: UnixStream, options: &Options) -> dray_client::Result<(Client, Pushed)> {
    let link = tokio::net::UnixStream::from_std(link);
    let link = link.map_err(|_| dray_client::Error::Closed)?;
    Client::over(Stream::from(link), options).await
}

/// The first frame of a program, if it is a client's *Hello*: the coordinator sees the certificate
/// of this node, under which nobody else may say that he is the node.
async fn hello_of_client(local: &mut Stream) -> Option<Vec<u8>> {
    let mut deframer = Deframer::default();
    let mut all = Vec::new();
    while all.len() < HELLO_BYTES {
        let mut some = [0; 512];
        let count = local.read(&mut some).await.ok().filter(|count| *count > 0)?;
        all.extend_from_slice(&some[..count]);
        deframer.buffer().extend_from_slice(&some[..count]);
        if let Some(frame) = deframer.next_frame().ok()? {
            let message = Message::decode(frame.header.kind, frame.body).ok()?;
            let is_client = matches!(&message, Message::Hello(it) if it.role == Role::CLIENT);
            return is_client.then_some(all);
        }
    }
    None
}

/// Passes what programs of this machine say on to the coordinator: they need no certificates.
async fn forward(listener: Listener, address: Address, credentials: Credentials) {
    loop {
        let pending = match listener.accept().await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(%error, "cannot accept");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let (address, credentials) = (address.clone(), credentials.clone());
        tokio::spawn(async move {
            let passed = async {
                let (mut local, _) = pending.establish(FORWARD).await?;
                let hello = tokio::time::timeout(FORWARD, hello_of_client(&mut local)).await;
                let Ok(Some(hello)) = hello else {
                    tracing::warn!("a program that does not say Hello as a client is closed");
                    return Ok(());
                };
                let connected = dray_link::connect(&address, Some(&credentials), FORWARD).await;
                let (mut far, _) = connected?;
                if far.write_all(&hello).await.is_err() {
                    return Ok(());
                }
                // That one end goes is how it ends.
                let _ = tokio::io::copy_bidirectional(&mut local, &mut far).await;
                Ok::<_, dray_link::Error>(())
            };
            if let Err(error) = passed.await {
                tracing::warn!(%error, "a program was not let through");
            }
        });
    }
}
