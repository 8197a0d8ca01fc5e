//! The way to a coordinator: of a daemon that runs here, or one in this process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dray_client::{AGAIN, Address, Client, LinkError, Options, PATIENCE, Pushed, Stream};
use dray_node::config::{Config, Mode};
use dray_node::{Finished, Standalone};
use dray_wire::SessionId;
use tokio::runtime::Runtime;

use crate::exit::Failure;
use crate::output::Output;
use crate::session::Session;

/// For a coordinator that has just begun to have its sessions.
const SESSION: Duration = Duration::from_secs(5);

/// A connection to the coordinator, with the threads that serve it.
pub(crate) struct Door {
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
    pub(crate) session: SessionId,
    /// What is pushed, until somebody takes it to listen.
    pub(crate) pushed: Option<Pushed>,
    /// Where there is no daemon.
    pub(crate) hosted: Option<Standalone>,
    /// Where there is one: how to come to it again.
    pub(crate) way: Option<Way>,
}

/// The way to a daemon, for when it was gone.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) address: Address,
    pub(crate) options: Options,
    /// What the session used is called.
    pub(crate) info: String,
}

impl Way {
    fn to(socket: &Path, info: String) -> Self {
        let (address, options) = (Address::Unix(socket.to_owned()), Options::client("dray"));
        Self { address, options, info }
    }

    pub(crate) async fn connect(&self) -> dray_client::Result<(Client, Pushed)> {
        Client::attempt(&self.address, None, &self.options).await
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name("client").enable_all().build();
    runtime.map_err(|error| Failure::from(anyhow::Error::from(error)))
}

/// What the session of a command is called.
fn info(command: &str) -> String {
    format!("dray {command} (process {})", std::process::id())
}

/// Where a daemon of this machine would listen.
fn daemon(config: &Config) -> Option<PathBuf> {
    // Only a machine that says so has one; its own directory is not everybody's to look into.
    let socket = config.node.as_ref().map(|node| node.socket.clone());
    socket.or_else(|| (config.cluster.mode == Mode::Cluster).then(|| config.socket()))
}

impl Door {
    /// Connects to the daemon of this machine, with the session of a managed file system; `None` if
    /// none runs and none has to. A daemon that finds no coordinator at the moment is waited for.
    pub(crate) fn to_session(
        config: &Config,
        file_system: &str,
        output: &Output,
    ) -> Result<Option<Self>, Failure> {
        let Some(socket) = daemon(config) else { return Ok(None) };
        let standalone = config.cluster.mode == Mode::Standalone;
        let patience = if standalone { Duration::ZERO } else { PATIENCE };
        let (runtime, way) = (runtime()?, Way::to(&socket, dray_node::session_info(file_system)));
        let began = Instant::now();
        loop {
            let opened = patiently(patience, output, || {
                runtime.block_on(async {
                    let (client, pushed) = way.connect().await?;
                    let session = client.find_session(SessionId::NONE, way.info.as_bytes()).await?;
                    Ok((client, pushed, session))
                })
            });
            match opened {
                Ok((client, pushed, Some(session))) => {
                    let (pushed, way, hosted) = (Some(pushed), Some(way), None);
                    return Ok(Some(Self { runtime, client, session, pushed, hosted, way }));
                }
                Ok(_) if began.elapsed() > SESSION => return Err(no_session(file_system)),
                Ok(_) => std::thread::sleep(AGAIN),
                Err(error) if error.retry_after().is_some() => return Err(refused(error)),
                Err(_) if standalone => return Ok(None),
                Err(error) => return Err(no_daemon(error, &socket)),
            }
        }
    }

    /// Hosts coordinator and engine in this process.
    pub(crate) fn hosting(hosted: Standalone, command: &str) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let link = hosted.attach().map_err(anyhow::Error::from)?;
        let (client, pushed, session) = runtime.block_on(async {
            let link = tokio::net::UnixStream::from_std(link)?;
            let options = Options::client("dray");
            let (client, pushed) = Client::over(Stream::from(link), &options).await?;
            let session = client.create_session(info(command).as_bytes()).await?;
            Ok::<_, anyhow::Error>((client, pushed, session))
        })?;
        let (pushed, hosted) = (Some(pushed), Some(hosted));
        Ok(Self { runtime, client, session, pushed, hosted, way: None })
    }

    /// Connects to the daemon of this machine, which has to run.
    pub(crate) fn required(config: &Config, output: &Output) -> Result<Self, Failure> {
        let Some(socket) = daemon(config) else { return Err(none_runs()) };
        let (runtime, way) = (runtime()?, Way::to(&socket, String::new()));
        match patiently(PATIENCE, output, || runtime.block_on(way.connect())) {
            Ok((client, pushed)) => {
                let (session, pushed, way) = (SessionId::NONE, Some(pushed), Some(way));
                Ok(Self { runtime, client, session, pushed, hosted: None, way })
            }
            Err(_) if config.cluster.mode == Mode::Standalone => Err(none_runs()),
            Err(error) => Err(no_daemon(error, &socket)),
        }
    }

    /// Waits for an answer.
    pub(crate) fn wait<T>(
        &self,
        asked: impl Future<Output = dray_client::Result<T>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(asked).map_err(refused)
    }

    /// Asks for what does no harm if it is asked for twice, and asks the next coordinator where
    /// one went before it had answered.
    pub(crate) fn ask<T>(
        &mut self,
        output: &Output,
        asked: impl AsyncFn(&Client) -> dray_client::Result<T>,
    ) -> Result<T, Failure> {
        let answer = match self.runtime.block_on(asked(&self.client)) {
            Err(error) if error.is_of_connection() && self.way.is_some() => {
                patiently(PATIENCE, output, || {
                    self.connect_again(&error)?;
                    self.runtime.block_on(asked(&self.client))
                })
            }
            Err(error) if error.retry_after().is_some() => {
                patiently(PATIENCE, output, || self.runtime.block_on(asked(&self.client)))
            }
            answer => answer,
        };
        answer.map_err(refused)
    }

    /// What the connection ended with, where there is no way to another.
    fn connect_again(&mut self, ended: &dray_client::Error) -> dray_client::Result<()> {
        let way = self.way.as_ref().ok_or_else(|| ended.clone())?;
        let (client, pushed) = self.runtime.block_on(way.connect())?;
        (self.client, self.pushed) = (client, Some(pushed));
        Ok(())
    }

    /// Ends what was hosted; its figures.
    pub(crate) fn close(self) -> Result<Option<Finished>, Failure> {
        let Self { runtime, client, hosted, .. } = self;
        let session = self.session;
        let finished = match hosted {
            None => None,
            Some(hosted) => {
                // The session ends with the coordinator in any case.
                let _ = runtime.block_on(client.destroy_session(session));
                drop(client);
                Some(hosted.close().map_err(ended)?)
            }
        };
        runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(finished)
    }
}

fn none_runs() -> Failure {
    Failure {
        advice: Some("start drayd; without it each command hosts a coordinator of its own"),
        ..Failure::configuration(anyhow::anyhow!("no drayd runs on this machine"))
    }
}

/// Tries for as long as it is a connection that fails, though there is a daemon: it finds no
/// coordinator at the moment. And for as long as the coordinator says that it cannot answer now.
fn patiently<T>(
    patience: Duration,
    output: &Output,
    mut attempt: impl FnMut() -> dray_client::Result<T>,
) -> dray_client::Result<T> {
    let (began, mut said) = (Instant::now(), false);
    loop {
        let error = match attempt() {
            Err(error) => error,
            done => return done,
        };
        let (what, patience) = match error.retry_after() {
            Some(_) => (error.to_string(), PATIENCE),
            None if error.is_of_connection() && !is_no_daemon(&error) => {
                ("no coordinator at the moment; trying to connect again".to_owned(), patience)
            }
            None => return Err(error),
        };
        if began.elapsed() >= patience {
            return Err(error);
        }
        if !std::mem::replace(&mut said, true) {
            output.warn(&what);
        }
        std::thread::sleep(error.retry_after().unwrap_or(AGAIN));
    }
}

/// Whether nobody listens: what starts no daemon does not pass by itself.
fn is_no_daemon(error: &dray_client::Error) -> bool {
    matches!(error, dray_client::Error::Link(error) if matches!(**error, LinkError::Io { .. }))
}

fn no_daemon(error: dray_client::Error, socket: &Path) -> Failure {
    Failure {
        advice: Some("start drayd on this machine, or see its log"),
        ..Failure::configuration(
            anyhow::Error::from(error).context(format!("{}", socket.display())),
        )
    }
}

fn no_session(file_system: &str) -> Failure {
    Failure::configuration(anyhow::anyhow!(
        "the coordinator has no session for {file_system}: is it in its configuration?"
    ))
}

/// A node that ended badly says why as the engine does.
fn ended(error: dray_node::NodeError) -> Failure {
    match error {
        dray_node::NodeError::Archive(error) => error.into(),
        other => Failure::from(anyhow::Error::from(other)),
    }
}

pub(crate) fn refused(error: dray_client::Error) -> Failure {
    let advice = Some(error.advice());
    Failure { advice, ..Failure::from(anyhow::Error::from(error)) }
}

/// Starts engine and coordinator over an archive.
pub(crate) fn host(session: Session, archive_name: &str, command: &str) -> Result<Door, Failure> {
    let archive_config = session.archive_config(Some(archive_name))?.clone();
    let archive = session.open_archive(&archive_config)?;
    let (unit, hash) = (session.unit(), session.hash());
    let Session { machine, config, .. } = session;
    let hosted = Standalone::start(machine, archive, &config, &archive_config, unit, hash);
    Door::hosting(hosted.map_err(anyhow::Error::from)?, command)
}
