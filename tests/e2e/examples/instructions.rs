//! Small pieces of hot paths that do the same each time, for counting instructions:
//! `instructions NAME COUNT`. `cargo xtask instructions` runs them under callgrind with two counts,
//! so that what is done once is left out.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use dray_archive::{Extent, FileRecord, Pack, Record};
use dray_core::{Coordinator, Output, Peer, Setup};
use dray_io::{Access, Files, Handle, Kind, Range, Time, sum};
use dray_mover::{CopyOptions, Error, Run, Side, Tally, Watch, copy};
use dray_sim::{Options, Sim};
use dray_wire::messages::*;
use dray_wire::{
    Class, Deframer, FileHandle, List, Message, Role, SessionId, Status, Text, Verb, encode,
};

const NAMES: [&str; 5] = ["wire", "queue", "sum", "pack", "copy"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count = words.get(1).and_then(|count| count.parse().ok());
    let (Some(name), Some(count)) = (words.first(), count) else {
        eprintln!("usage: instructions {} COUNT", NAMES.join("|"));
        std::process::exit(2);
    };
    match name.as_str() {
        "wire" => wire(count),
        "queue" => queue(count),
        "sum" => sums(count),
        "pack" => pack(count),
        "copy" => copies(count),
        other => panic!("no piece named {other}"),
    }
}

fn items(first: u64, count: u64) -> List<Item, { dray_wire::limits::ITEMS_MAX }> {
    let item = |inode| Item {
        handle: FileHandle { file_system: [7; 16], inode, generation: 1 },
        size: 100_000,
        kind: KIND_FILE,
        ..Item::default()
    };
    List((first..first + count).map(item).collect())
}

/// A submission of 100 files into bytes and back.
fn wire(count: u64) {
    let message = Message::from(Submit { items: items(1, 100), ..Submit::default() });
    let mut deframer = Deframer::default();
    for request in 0..count {
        encode(&message, request, deframer.buffer());
        let frame = deframer.next_frame().expect("it is whole").expect("it is well");
        black_box(Message::decode(frame.header.kind, frame.body).expect("it is well"));
    }
}

/// A coordinator, and what it has ordered.
struct Desk {
    core: Coordinator,
    request: u64,
    session: SessionId,
    orders: Vec<Order>,
}

impl Desk {
    fn tell(&mut self, connection: u32, message: impl Into<Message>) {
        self.request += 1;
        self.core.handle(1, connection, self.request, message.into());
        while let Some(output) = self.core.next_output() {
            let Output::Send { message, .. } = output else { panic!("{output:?}") };
            match message {
                Message::Order(order) => self.orders.push(order),
                Message::SessionCreated(it) => self.session = it.session,
                _ => {}
            }
        }
    }

    fn connect(&mut self, role: Role, name: &str) -> u32 {
        let connection = self.core.connected(1, Peer::Same).expect("there are few");
        let name = Text::new(name);
        let hello = Hello { version_from: 1, version_to: 1, role, name, ..Hello::default() };
        self.tell(connection, hello);
        connection
    }
}

/// 1,000 requests from submission to outcome, in the coordinator alone.
fn queue(count: u64) {
    let core = Coordinator::new(Setup::default());
    let mut desk = Desk { core, request: 0, session: SessionId::NONE, orders: Vec::new() };
    let client = desk.connect(Role::CLIENT, "client");
    desk.tell(client, CreateSession::default());
    let node = desk.connect(Role::NODE, "node");
    let file_systems = List(vec![[7; 16]]);
    desk.tell(node, Join { cores: 16, file_systems, ..Join::default() });
    for round in 0..count {
        let (session, class, verb) = (desk.session, Class::ARCHIVE, Verb::ARCHIVE);
        let items = items(round * 1000 + 1, 1000);
        desk.tell(client, Submit { session, class, verb, items, ..Submit::default() });
        while let Some(order) = desk.orders.pop() {
            let (status, core) = (Status::DONE, order.core);
            let result = |index: usize| {
                let bytes = order.items.0[index].size;
                ItemResult { index: index as u32, core, status, bytes, ..ItemResult::default() }
            };
            let results = List((0..order.items.0.len()).map(result).collect());
            desk.tell(node, OrderDone { epoch: order.epoch, order: order.order, results });
        }
    }
    assert_eq!(desk.core.open_requests(), 0);
}

/// 1 MiB, a sum for each 64 KiB.
fn sums(count: u64) {
    let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at >> 8) as u8 ^ at as u8).collect();
    let mut sums = vec![0; sum::sums_in(bytes.len() as u64)];
    for _ in 0..count {
        sum::sum_blocks(black_box(&bytes), &mut sums);
        black_box(&sums);
    }
}

/// A segment of 100 files of 16 KiB.
fn pack(count: u64) {
    let mut pack = Pack::new();
    for _ in 0..count {
        for inode in 0..100 {
            let size = 16 * 1024;
            pack.room(size)[..8].copy_from_slice(&inode_bytes(inode));
            let extent = pack.take_data(Range::new(0, size));
            pack.push(Record::File(Box::new(record(inode, size, extent))));
        }
        black_box(pack.seal());
        pack.clear();
    }
}

fn inode_bytes(inode: u64) -> [u8; 8] {
    inode.to_le_bytes()
}

fn record(inode: u64, size: u64, extent: Extent) -> FileRecord {
    let time = Time::default();
    FileRecord {
        handle: Handle { file_system: [7; 16], inode, generation: 1 },
        kind: Kind::File,
        mode: 0o100_644,
        uid: 1000,
        gid: 1000,
        links: 1,
        size,
        rdev: 0,
        accessed: time,
        modified: time,
        changed: time,
        born: time,
        archived: Default::default(),
        hash: None,
        path: PathBuf::from("/data/project/directory/file"),
        target: Vec::new(),
        xattrs: Vec::new(),
        extents: vec![extent],
        parts: Vec::new(),
    }
}

struct Quiet;

impl Watch for Quiet {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }
}

/// 4 MiB through the slots of a ring in requests of 64 KiB, the kernel simulated.
fn copies(count: u64) {
    const UNIT: u32 = 64 * 1024;
    let sim = Sim::with(1, Options { slots: 8, slot_bytes: UNIT, ..Options::default() });
    let (from, to) = (Path::new("/d/source"), Path::new("/d/target"));
    let size = 4 << 20;
    sim.tree().write_file("/d/source", &vec![7; size as usize]);
    sim.tree().write_file("/d/target", &vec![0; size as usize]);
    let source = sim.open(from, Access::ReadDirect).expect("it is there");
    let target = sim.open(to, Access::WriteDirect).expect("it is there");
    let source = Side { file: &source, path: from, size, is_lun: false };
    let target = Side { file: &target, path: to, size, is_lun: true };
    let run = Run { tally: &Tally::default(), watch: &Quiet };
    for _ in 0..count {
        let options = CopyOptions { unit: UNIT, verify: false };
        black_box(copy(&sim, &source, &target, options, &run).expect("nothing is set to fail"));
    }
}
