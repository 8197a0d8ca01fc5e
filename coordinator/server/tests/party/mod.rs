//! A server on a real socket, and those who talk to it. Each test binary uses a part of this.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

mod node;
mod raw;

use std::time::{Duration, Instant};

use dray_client::{Address, Client, Options, Pushed};
use dray_link::ListenOptions;
use dray_server::{CoreSetup, Server};
use dray_wire::FileHandle;
use dray_wire::messages::{Item, KIND_FILE};
use tempfile::TempDir;

pub(crate) use node::{Played, play};
pub(crate) use raw::{Raw, frame, hello, summed};

/// Longer than anything takes on a busy machine; only a broken test waits for it.
pub(crate) const AMPLE: Duration = Duration::from_secs(30);

/// What somebody who does no harm may wait for an answer, whatever others do.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) const FS: [u8; 16] = [7; 16];

/// A server that ends, with its sockets and files, when this is dropped.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) address: Address,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(CoreSetup::default(), ListenOptions::default())
    }

    pub(crate) fn with(setup: CoreSetup, options: ListenOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(setup).unwrap();
        let address = Address::Unix(folder.path().join("dray.sock"));
        let address = server.listen(address, options).unwrap();
        Self { server, address, folder }
    }

    pub(crate) async fn client(&self, name: &str) -> (Client, Pushed) {
        Client::connect(&self.address, None, &Options::client(name)).await.unwrap()
    }

    /// Somebody who may send whatever he likes, before he has said Hello.
    pub(crate) async fn raw(&self) -> Raw {
        let (stream, _) = dray_link::connect(&self.address, None, AMPLE).await.unwrap();
        Raw::new(stream)
    }

    pub(crate) async fn greeted(&self) -> Raw {
        let mut raw = self.raw().await;
        raw.greet().await;
        raw
    }
}

/// Runs a test in bounded time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(4 * AMPLE, test).await });
    done.expect("a test ends")
}

pub(crate) fn handle(inode: u64) -> FileHandle {
    FileHandle { file_system: FS, inode, generation: 1 }
}

pub(crate) fn item(inode: u64) -> Item {
    Item { handle: handle(inode), size: 4096, kind: KIND_FILE, ..Item::default() }
}

/// Another client of the server, who wants nothing but answers.
pub(crate) struct Witness {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<(Duration, u32)>,
}

impl Witness {
    pub(crate) async fn of(place: &Place) -> Self {
        let (client, _) = place.client("witness").await;
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut longest, mut count) = (Duration::ZERO, 0);
            while stopped.try_recv().is_err() {
                longest = longest.max(ping(&client).await);
                count += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            // And once more when all is over.
            (longest.max(ping(&client).await), count + 1)
        });
        Self { stop, task }
    }

    /// Fails if it waited too long for one answer.
    pub(crate) async fn unharmed(self, while_what: &str) {
        self.stop.send(()).unwrap();
        let (longest, count) = self.task.await.unwrap();
        println!("{while_what}: {count} pings of another client, the longest {longest:?}");
        assert!(longest < PATIENCE, "{while_what}: a ping took {longest:?}");
    }
}

async fn ping(client: &Client) -> Duration {
    let asked = Instant::now();
    let answered = tokio::time::timeout(AMPLE, client.ping()).await;
    answered.expect("an answer").expect("a good one");
    asked.elapsed()
}

/// Bytes of this process in memory.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}
