//! A coordinator with a store: it ends at any moment, and another goes on over the same store.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dray_client::{Client, Options, Pushed, Stream};
use dray_server::{CoreSetup, Durable, Server};
use dray_store::{Block, Embedded, Error, Result, Store};
use dray_wire::messages::{Item, KIND_FILE, Watch};
use dray_wire::{Class, Epoch, FileHandle, Message, Reason, RequestId, SessionId, Status, Verb};

fn serve(store: impl Store + 'static, epoch: u64) -> Server {
    let setup = CoreSetup { epoch: Epoch(epoch), ..CoreSetup::default() };
    Server::start_durable(setup, Durable { store: Box::new(store), until: None }).unwrap()
}

fn over(folder: &Path) -> Server {
    let store = Embedded::open(folder, [7; 16]).unwrap();
    let epoch = store.epoch();
    serve(store, epoch)
}

async fn client(server: &Server) -> (Client, Pushed) {
    let link: UnixStream = server.attach().unwrap();
    let link = tokio::net::UnixStream::from_std(link).unwrap();
    Client::over(Stream::from(link), &Options::client("test")).await.unwrap()
}

fn items(inodes: std::ops::Range<u64>) -> Vec<Item> {
    let handle = |inode| FileHandle { inode, ..FileHandle::default() };
    let item = |inode| Item { handle: handle(inode), kind: KIND_FILE, ..Item::default() };
    inodes.map(item).collect()
}

async fn submit(
    client: &Client,
    session: SessionId,
    inodes: std::ops::Range<u64>,
) -> dray_client::Result<Vec<RequestId>> {
    client.submit(session, Class::ARCHIVE, Verb::ARCHIVE, items(inodes)).await
}

#[tokio::test]
async fn requests_outlive_the_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let server = over(folder.path());
    let (first, _pushed) = client(&server).await;
    let session = first.create_session(b"durable").await.unwrap();
    let ids = submit(&first, session, 0..3000).await.unwrap();
    let cancelled = first.cancel(session, vec![ids[5]]).await.unwrap();
    assert_eq!(cancelled, [Status::CANCELLED]);
    let before = first.welcome().epoch;
    drop(server);
    let server = over(folder.path());
    let (second, mut pushed) = client(&server).await;
    assert!(second.welcome().epoch > before);
    let sessions = second.sessions().await.unwrap();
    assert_eq!((sessions.len(), sessions[0].session, sessions[0].queued), (1, session, 2999));
    let watched = second.ask(Watch { requests: dray_wire::List(ids[..10].to_vec()) }).await;
    assert!(matches!(watched, Ok(Message::Watched(it)) if it.statuses.0[5] == Status::CANCELLED));
    let told = pushed.recv().await.unwrap();
    assert!(matches!(told, Message::Outcomes(it) if it.outcomes.0[0].request == ids[5]));
    assert_eq!(second.request(ids[7]).await.unwrap().status, Status::QUEUED);
}

type Kept = Vec<(u64, Vec<u8>)>;

/// A store in memory that can be told to fail; it stands for a disk that is full for a while.
#[derive(Clone, Default)]
struct Moody {
    blocks: Arc<Mutex<Kept>>,
    full: Arc<AtomicBool>,
    deposed: Arc<AtomicBool>,
}

impl Store for Moody {
    fn load(&mut self, each: &mut dyn FnMut(u64, &[u8]) -> Result<(), String>) -> Result<()> {
        for (number, bytes) in self.blocks.lock().unwrap().iter() {
            each(*number, bytes).unwrap();
        }
        Ok(())
    }

    fn commit(&mut self, blocks: &[Block], keep_from: u64) -> Result<()> {
        if self.deposed.load(Ordering::Relaxed) {
            return Err(Error::Deposed);
        }
        if self.full.load(Ordering::Relaxed) {
            return Err(Error::Full { path: "the disk of a test".into() });
        }
        let mut own = self.blocks.lock().unwrap();
        own.extend(blocks.iter().map(|block| (block.number, block.bytes.clone())));
        own.retain(|(number, _)| *number >= keep_from);
        Ok(())
    }

    fn read(&mut self, number: u64) -> Result<Vec<u8>> {
        let own = self.blocks.lock().unwrap();
        Ok(own.iter().find(|(own, _)| *own == number).unwrap().1.clone())
    }
}

#[tokio::test]
async fn a_full_store_is_told_of_and_gone_on_with() {
    let store = Moody::default();
    let server = serve(store.clone(), 1);
    let (client, _pushed) = client(&server).await;
    let session = client.create_session(b"full").await.unwrap();
    store.full.store(true, Ordering::Relaxed);
    // This one is not answered until it is kept.
    let waiting = client.clone();
    let waits = tokio::spawn(async move { submit(&waiting, session, 0..5).await });
    let refused = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let again = tokio::time::timeout(Duration::from_millis(50), submit(&client, session, 5..6));
        if let Ok(again) = again.await {
            break again.unwrap_err();
        }
    };
    assert_eq!(refused.reason(), Some(Reason::BUSY));
    assert!(refused.to_string().contains("no space"), "{refused}");
    assert!(!waits.is_finished());
    store.full.store(false, Ordering::Relaxed);
    assert_eq!(waits.await.unwrap().unwrap().len(), 5);
    let begun = Instant::now();
    while submit(&client, session, 6..7).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn whoever_is_deposed_says_nothing_more() {
    let store = Moody::default();
    let server = serve(store.clone(), 1);
    let (client, _pushed) = client(&server).await;
    let session = client.create_session(b"deposed").await.unwrap();
    store.deposed.store(true, Ordering::Relaxed);
    let refused = submit(&client, session, 0..5).await.unwrap_err();
    assert!(matches!(refused, dray_client::Error::Closed), "{refused}");
    server.over().wait_for(|over| *over).await.unwrap();
}

#[tokio::test]
async fn a_lead_that_is_not_prolonged_ends() {
    let (prolong, until) = tokio::sync::watch::channel(Instant::now() + Duration::from_secs(60));
    let durable = Durable { store: Box::new(Moody::default()), until: Some(until) };
    let server = Server::start_durable(CoreSetup::default(), durable).unwrap();
    let (client, _pushed) = client(&server).await;
    client.create_session(b"leads").await.unwrap();
    assert!(!*server.over().borrow());
    // A lead is never shortened; this one is of another server, with less to come.
    drop(prolong);
    let soon = Instant::now() + Duration::from_millis(300);
    let (_prolong, until) = tokio::sync::watch::channel(soon);
    let durable = Durable { store: Box::new(Moody::default()), until: Some(until) };
    let server = Server::start_durable(CoreSetup::default(), durable).unwrap();
    server.over().wait_for(|over| *over).await.unwrap();
    assert!(Instant::now() >= soon);
}
