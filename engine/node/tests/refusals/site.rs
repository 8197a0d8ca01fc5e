//! A directory with files, an archive, and a node over both.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use dray_archive::{Archive, VolumePlace};
use dray_fs::LinuxFiles;
use dray_io::{Access, Files};
use dray_link::{Address, ListenOptions, Listener};
use dray_node::config::Follow;
use dray_node::places::{Managed, Places, to_wire};
use dray_node::{Machine, MachineOptions, Member, MemberSetup, RingSetup};
use dray_wire::messages::{KIND_FILE, OrderItem};
use dray_wire::{FileHandle, Name, Reason, Status, Verb};
use tokio::sync::watch;

use crate::played::{AMPLE, Coordinator};

pub(crate) struct Site {
    pub(crate) fs: PathBuf,
    pub(crate) files: LinuxFiles,
    stop: watch::Sender<bool>,
    node: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// Runs a test with a node and the coordinator that it has joined. The lease in milliseconds.
pub(crate) fn with_node<T>(
    lease_ms: u32,
    test: impl AsyncFnOnce(&Site, &mut Coordinator) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let socket = Address::Unix(folder.path().join("coordinator.sock"));
        let listener = Listener::bind(&socket, ListenOptions::default()).await.unwrap();
        let (mut site, member) = Site::new(folder);
        let stopped = site.stop.subscribe();
        site.node = Some(std::thread::spawn(move || serve(member, &socket, stopped)));
        let mut coordinator = Coordinator::accept(&listener, lease_ms).await;
        let outcome = tokio::time::timeout(2 * AMPLE, test(&site, &mut coordinator)).await;
        let _ = site.stop.send(true);
        let ended = tokio::task::spawn_blocking(move || site.node.take().map(JoinHandle::join));
        // The node closes its archive, whatever was asked of it.
        ended.await.unwrap().unwrap().unwrap();
        outcome.expect("a test ends")
    })
}

fn serve(mut member: Member, socket: &Address, mut stopped: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stream, _) = dray_link::connect(socket, None, AMPLE).await.unwrap();
        // An error is the end of the connection: the test is over, or has failed.
        let _ = member.serve_over(stream, &mut stopped).await;
    });
    member.close().unwrap();
}

impl Site {
    fn new(folder: tempfile::TempDir) -> (Self, Member) {
        let path = std::fs::canonicalize(folder.path()).unwrap();
        let (fs, place) = (path.join("fs"), path.join("archive"));
        std::fs::create_dir(&fs).unwrap();
        std::fs::create_dir(&place).unwrap();
        let machine = Machine::new(&MachineOptions { cores: 2, hands: 2, ..Default::default() });
        let files = LinuxFiles::new();
        let place = VolumePlace::Directory { path: place, volume_bytes: 1 << 30 };
        Archive::create(&files, &place, [9; 16], &[]).unwrap();
        let archive = Archive::open(&files, &place).unwrap();
        let root = files.open(&fs, Access::Look).and_then(|file| files.stat(&file)).unwrap();
        let file_system = root.handle.file_system;
        let (path, name, follow) = (fs.clone(), "fs".to_owned(), Follow::default());
        let managed = Managed { path, archive: 0, file_system, name, follow };
        let member = Member::new(MemberSetup {
            name: "n1".to_owned(),
            machine,
            archives: vec![archive],
            places: Places { managed: vec![managed], excluded: Vec::new() },
            file_systems: vec![file_system],
            unit: RingSetup::default().slot_bytes,
            hash: false,
        });
        let (stop, _) = watch::channel(false);
        (Self { fs, files, stop, node: None, _folder: folder }, member)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.fs.join(name)
    }

    /// Makes a file whose bytes follow from its name.
    pub(crate) fn make(&self, name: &str, bytes: usize) -> OrderItem {
        std::fs::write(self.path(name), content(name, bytes)).unwrap();
        self.item(name)
    }

    pub(crate) fn handle(&self, name: &str) -> FileHandle {
        let file = self.files.open(&self.path(name), Access::Inspect).unwrap();
        to_wire(self.files.stat(&file).unwrap().handle)
    }

    /// A file as an order names it.
    pub(crate) fn item(&self, name: &str) -> OrderItem {
        let path = self.path(name);
        OrderItem {
            handle: self.handle(name),
            size: path.metadata().unwrap().len(),
            kind: KIND_FILE,
            name: wire_name(&path),
            ..OrderItem::default()
        }
    }

    /// Whether its data is on disk.
    pub(crate) fn is_here(&self, name: &str) -> bool {
        self.path(name).metadata().unwrap().blocks() >= 8
    }

    /// Whether it has ever been archived.
    pub(crate) fn is_marked(&self, name: &str) -> bool {
        let mut names = vec![0; 4096];
        let length = rustix::fs::listxattr(self.path(name), &mut names[..]).unwrap();
        String::from_utf8_lossy(&names[..length]).contains(".dray")
    }
}

pub(crate) fn wire_name(path: &Path) -> Name {
    Name::new(path.as_os_str().as_encoded_bytes()).unwrap()
}

pub(crate) fn content(name: &str, bytes: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(1_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// Archives and releases, so that there is something to restore.
pub(crate) async fn released(coordinator: &mut Coordinator, items: &[OrderItem]) {
    for result in coordinator.have_done(Verb::ARCHIVE, items.to_vec()).await {
        let there = [Status::DONE, Status::NOTHING].contains(&result.status);
        assert!(there, "{}", result.text);
    }
    let mut left = items.to_vec();
    // A large file may be told to be archived a moment before it is closed.
    for _ in 0..50 {
        let results = coordinator.have_done(Verb::RELEASE, left.clone()).await;
        let mut later = Vec::new();
        for (item, result) in left.into_iter().zip(results) {
            match (result.status, result.reason) {
                (Status::DONE, _) => {}
                (_, Reason::LATER) => later.push(item),
                _ => panic!("{}", result.text),
            }
        }
        left = later;
        if left.is_empty() {
            return;
        }
        coordinator.idle(Duration::from_millis(10)).await;
    }
    panic!("{} files are in use for ever", left.len());
}
