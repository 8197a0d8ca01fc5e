//! The thread of the coordinator.

use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread::JoinHandle;

use dray_core::{Peer, Setup};
use dray_link::{Address, Identity, ListenOptions, Listener};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use crate::connection::serve;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::limits::{ACCEPT_PAUSE, GREETING};

enum Command {
    Attach(UnixStream),
    Listen(Address, ListenOptions, oneshot::Sender<Result<Address>>),
}

/// A coordinator that runs in a thread of its own until this is dropped.
#[derive(Debug)]
pub struct Server {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(setup: Setup) -> Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Thread)?;
        let thread = std::thread::Builder::new().name("coordinator".to_owned()).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, run(Rc::new(Hub::new(setup)), receiver));
            // Tasks of peers end with the set.
        });
        let thread = thread.map_err(Error::Thread)?;
        Ok(Self { commands: Some(sender), thread: Some(thread) })
    }

    fn command(&self, command: Command) -> Result<()> {
        let sender = self.commands.as_ref().ok_or(Error::Ended)?;
        sender.send(command).map_err(|_| Error::Ended)
    }

    /// Serves somebody in this process; the other end of the link.
    pub fn attach(&self) -> Result<UnixStream> {
        let (own, other) = UnixStream::pair().map_err(Error::Socket)?;
        for end in [&own, &other] {
            end.set_nonblocking(true).map_err(Error::Socket)?;
        }
        self.command(Command::Attach(own))?;
        Ok(other)
    }

    /// Listens on an address; the one that it really is. Not to be called from a runtime.
    pub fn listen(&self, address: Address, options: ListenOptions) -> Result<Address> {
        let (sender, receiver) = oneshot::channel();
        self.command(Command::Listen(address, options, sender))?;
        receiver.blocking_recv().map_err(|_| Error::Ended)?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            let _ = thread.join();
        }
    }
}

async fn run(hub: Rc<Hub>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let clock = Rc::clone(&hub);
    spawn_local(async move { clock.keep_time().await });
    while let Some(command) = commands.recv().await {
        match command {
            Command::Attach(stream) => match tokio::net::UnixStream::from_std(stream) {
                Ok(stream) => {
                    let until = Instant::now() + GREETING;
                    spawn_local(serve(Rc::clone(&hub), stream.into(), Peer::Same, until));
                }
                Err(error) => tracing::error!(%error, "cannot attach"),
            },
            Command::Listen(address, options, reply) => {
                let bound = bind(&hub, &address, options).await;
                // Whoever asked may have gone.
                let _ = reply.send(bound);
            }
        }
    }
}

async fn bind(hub: &Rc<Hub>, address: &Address, options: ListenOptions) -> Result<Address> {
    let listener = Listener::bind(address, options).await?;
    let address = listener.address()?;
    spawn_local(accept(Rc::clone(hub), listener));
    Ok(address)
}

async fn accept(hub: Rc<Hub>, listener: Listener) {
    loop {
        match listener.accept().await {
            Ok(pending) => {
                let hub = Rc::clone(&hub);
                spawn_local(async move {
                    let from = pending.from().to_owned();
                    let until = Instant::now() + GREETING;
                    match pending.establish(GREETING).await {
                        Ok((stream, identity)) => serve(hub, stream, peer(identity), until).await,
                        Err(error) => tracing::warn!(%from, %error, "a peer was not let in"),
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn peer(identity: Identity) -> Peer {
    match identity {
        Identity::Local { uid, .. } => {
            let owner = uid == 0 || uid == rustix::process::geteuid().as_raw();
            Peer::Local { uid, owner }
        }
        Identity::Node { name } => Peer::Node { name },
        Identity::Client { name } => Peer::Client { name },
        Identity::Same => Peer::Same,
    }
}
