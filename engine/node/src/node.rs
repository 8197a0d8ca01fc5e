//! A node in a process, and a coordinator beside it where there is none elsewhere.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use dray_archive::Archive;
use dray_client::Stream;
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_mover::Tally;
use dray_server::{CoreSetup, Server};
use tokio::sync::watch;

use crate::config::{ArchiveConfig, Config};
use crate::machine::Machine;
use crate::member::{Member, MemberSetup};
use crate::places::Places;
use crate::worker::Shared;

/// Why a node could not be started, or ended badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    #[error(transparent)]
    Archive(#[from] dray_archive::Error),
    #[error(transparent)]
    Server(#[from] dray_server::Error),
    #[error(transparent)]
    Client(#[from] dray_client::Error),
    #[error("cannot start a thread of the node: {0}")]
    Thread(io::Error),
}

/// The lease of a node beside its own coordinator, with no other: a day.
pub(crate) const ALONE_NS: u64 = 86_400_000_000_000;

/// Engine and coordinator in this process: what there is where no daemon runs.
pub struct Standalone {
    server: Server,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Result<Finished, NodeError>>>,
    figures: Finished,
}

impl Standalone {
    /// Starts both over one archive, for files below `roots`.
    pub fn start(
        machine: Machine,
        archive: Archive<LinuxFiles>,
        config: &Config,
        archive_config: &ArchiveConfig,
        unit: u32,
        hash: bool,
    ) -> Result<Self, NodeError> {
        let mut places = Places::find(machine.files(), config);
        places
            .managed
            .retain(|managed| config.archive[managed.archive].name == archive_config.name);
        for managed in &mut places.managed {
            managed.archive = 0;
        }
        let archives = vec![archive];
        let (name, file_systems) = ("local".to_owned(), Vec::new());
        let member =
            Member::new(MemberSetup { name, machine, archives, places, file_systems, unit, hash });
        let figures = member.watch();
        // Nobody else could take the work: being stopped for a while is no reason to lose it.
        let setup = CoreSetup { lease_ns: ALONE_NS, ..CoreSetup::default() };
        let server = Server::start(setup)?;
        let link = server.attach()?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new().name("node".to_owned());
        let thread = thread.spawn(move || run(member, link, stopped)).map_err(NodeError::Thread)?;
        Ok(Self { server, stop, thread: Some(thread), figures })
    }

    /// A link to the coordinator, for a client.
    pub fn attach(&self) -> Result<UnixStream, NodeError> {
        Ok(self.server.attach()?)
    }

    /// Whether the node has ended before it was told to.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Its figures, while they grow.
    pub fn watch(&self) -> Finished {
        self.figures.clone()
    }

    /// Ends the node when it has done what it is doing, and closes the archive.
    pub fn close(mut self) -> Result<Finished, NodeError> {
        // Nobody hears it if the node has ended by itself.
        let _ = self.stop.send(true);
        let thread = self.thread.take().expect("taken only here");
        match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// The figures of a node: what is left of it when it has ended.
#[derive(Clone)]
pub struct Finished(Arc<Shared>);

impl Finished {
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub fn machine(&self) -> &Machine {
        &self.0.machine
    }

    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }
}

fn run(
    mut member: Member,
    link: UnixStream,
    mut stopped: watch::Receiver<bool>,
) -> Result<Finished, NodeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(NodeError::Thread)?;
    let served = runtime.block_on(async {
        let stream = tokio::net::UnixStream::from_std(link).map_err(NodeError::Thread)?;
        member.serve_over(Stream::from(stream), &mut stopped).await
    });
    let closed = member.close();
    served?;
    closed
}

/// Directories that are never archived: the archives themselves.
pub fn excluded(config: &Config) -> Vec<std::path::PathBuf> {
    let directories = config.archive.iter().filter_map(|archive| archive.directory.as_deref());
    directories.map(Path::to_owned).collect()
}
