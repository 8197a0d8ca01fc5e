//! The thread of the coordinator.

use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Instant as Clock;

use dray_core::{Coordinator, Peer, Setup};
use dray_link::{Address, Identity, ListenOptions, Listener};
use dray_store::Store;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use crate::connection::serve;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::keeper::{Keeper, News};
use crate::limits::{ACCEPT_PAUSE, GREETING, PARTING};

enum Command {
    Attach(UnixStream, Peer),
    Listen(Address, ListenOptions, oneshot::Sender<Result<Address>>),
}

/// What outlives a coordinator.
pub struct Durable {
    pub store: Box<dyn Store>,
    /// Until when this coordinator leads, as that is prolonged; none for ever.
    pub until: Option<watch::Receiver<Clock>>,
}

/// What the thread begins with.
struct Begin {
    core: Coordinator,
    began: Clock,
    keeper: Option<(Keeper, mpsc::UnboundedReceiver<News>)>,
    until: Option<watch::Receiver<Clock>>,
    over: watch::Sender<bool>,
}

/// A coordinator that runs in a thread of its own until this is dropped.
#[derive(Debug)]
pub struct Server {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
    over: watch::Receiver<bool>,
}

impl Server {
    /// A coordinator that forgets all when it ends.
    pub fn start(setup: Setup) -> Result<Self> {
        let (over, told) = watch::channel(false);
        let core = Coordinator::new(setup);
        Self::spawn(Begin { core, began: Clock::now(), keeper: None, until: None, over }, told)
    }

    /// A coordinator that takes up what one before it promised, and keeps what it promises.
    pub fn start_durable(setup: Setup, durable: Durable) -> Result<Self> {
        let Durable { mut store, until } = durable;
        let (over, told) = watch::channel(false);
        let (mut core, began) = (Coordinator::new(Setup { durable: true, ..setup }), Clock::now());
        let (mut blocks, mut next) = (0_u64, 1);
        store.load(&mut |number, block| {
            (blocks, next) = (blocks + 1, number + 1);
            core.restore(number, block).map_err(|why| why.to_string())
        })?;
        core.restored(0, next);
        let (requests, took) = (core.open_requests(), began.elapsed());
        tracing::info!(blocks, requests, ?took, "restored");
        let keeper = Some(Keeper::start(store)?);
        Self::spawn(Begin { core, began, keeper, until, over }, told)
    }

    fn spawn(begin: Begin, over: watch::Receiver<bool>) -> Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Thread)?;
        let thread = std::thread::Builder::new().name("coordinator".to_owned()).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, run(begin, receiver));
            // Tasks of peers end with the set.
        });
        let thread = thread.map_err(Error::Thread)?;
        Ok(Self { commands: Some(sender), thread: Some(thread), over })
    }

    /// True once this coordinator leads no more: it says nothing then.
    pub fn over(&self) -> watch::Receiver<bool> {
        self.over.clone()
    }

    fn command(&self, command: Command) -> Result<()> {
        let sender = self.commands.as_ref().ok_or(Error::Ended)?;
        sender.send(command).map_err(|_| Error::Ended)
    }

    /// Serves somebody in this process; the other end of the link.
    pub fn attach(&self) -> Result<UnixStream> {
        self.attach_for(Identity::Same)
    }

    /// The same for somebody who was let in elsewhere.
    pub fn attach_for(&self, who: Identity) -> Result<UnixStream> {
        let (own, other) = UnixStream::pair().map_err(Error::Socket)?;
        for end in [&own, &other] {
            end.set_nonblocking(true).map_err(Error::Socket)?;
        }
        self.command(Command::Attach(own, peer(who)))?;
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

async fn run(begin: Begin, mut commands: mpsc::UnboundedReceiver<Command>) {
    let Begin { core, began, keeper, until, over } = begin;
    let (keeper, news) = keeper.unzip();
    let hub = Rc::new(Hub::new(core, began, keeper, over));
    let clock = Rc::clone(&hub);
    spawn_local(async move { clock.keep_time().await });
    if let Some(news) = news {
        let hub = Rc::clone(&hub);
        spawn_local(async move { hub.hear_store(news).await });
    }
    if let Some(until) = until {
        let hub = Rc::clone(&hub);
        spawn_local(async move { hub.follow_lead(until).await });
    }
    let mut over = hub.over.subscribe();
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = over.wait_for(|over| *over) => None,
        };
        let Some(command) = command else { break };
        match command {
            Command::Attach(stream, peer) => match tokio::net::UnixStream::from_std(stream) {
                Ok(stream) => {
                    let until = Instant::now() + GREETING;
                    spawn_local(serve(Rc::clone(&hub), stream.into(), peer, until));
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
    if *over.borrow() {
        // Those who are told to go hear it, if they listen.
        tokio::time::sleep(PARTING).await;
    } else {
        hub.settle().await;
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
