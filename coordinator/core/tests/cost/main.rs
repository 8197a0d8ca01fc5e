//! What a long queue costs, in memory and in time. The bounds asserted are loose, since machines
//! are shared; the figures are printed. In earnest:
//! `cargo test --release -p dray-core --test cost -- --ignored --nocapture`.

mod many;

use std::time::{Duration, Instant};

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::messages::*;
use dray_wire::{Class, FileHandle, List, Message, Role, SessionId, Status, Text, Verb};

const ITEMS: u64 = 1000;

struct Bench {
    core: Coordinator,
    client: u32,
    node: u32,
    session: SessionId,
    next: u64,
    inode: u64,
    outcomes: u64,
    orders: Vec<Order>,
}

impl Bench {
    fn new() -> Self {
        let core = Coordinator::new(Setup::default());
        let (session, orders) = (SessionId::NONE, Vec::new());
        let (client, node, next, inode, outcomes) = (0, 0, 0, 0, 0);
        let mut bench = Self { core, client, node, session, next, inode, outcomes, orders };
        bench.client = bench.connect(Role::CLIENT, "client");
        match bench.ask(bench.client, CreateSession::default()) {
            Some(Message::SessionCreated(it)) => bench.session = it.session,
            other => panic!("{other:?}"),
        }
        bench
    }

    fn connect(&mut self, role: Role, name: &str) -> u32 {
        let connection = self.core.connected(1, Peer::Same).expect("there are few");
        let name = Text::new(name);
        self.ask(
            connection,
            Hello { version_from: 1, version_to: 1, role, name, ..Hello::default() },
        );
        connection
    }

    fn join(&mut self) {
        self.node = self.connect(Role::NODE, "node");
        let file_systems = List(vec![[7; 16]]);
        self.ask(self.node, Join { cores: 16, file_systems, ..Join::default() });
    }

    fn ask(&mut self, connection: u32, message: impl Into<Message>) -> Option<Message> {
        self.next += 1;
        self.core.handle(1, connection, self.next, message.into());
        self.drain()
    }

    fn drain(&mut self) -> Option<Message> {
        let mut reply = None;
        while let Some(output) = self.core.next_output() {
            let Output::Send { request, message, .. } = output else { panic!("{output:?}") };
            match message {
                Message::Outcomes(it) => self.outcomes += it.outcomes.0.len() as u64,
                Message::Order(it) => self.orders.push(it),
                other if request != 0 => reply = Some(other),
                _ => {}
            }
        }
        reply
    }

    fn submission(&mut self) -> Submit {
        let first = self.inode + 1;
        self.inode += ITEMS;
        let item = |inode| Item {
            handle: FileHandle { file_system: [7; 16], inode, generation: 1 },
            size: 100_000,
            kind: KIND_FILE,
            ..Item::default()
        };
        let items = List((first..first + ITEMS).map(item).collect());
        let (class, verb) = (Class::ARCHIVE, Verb::ARCHIVE);
        Submit { session: self.session, class, verb, items, ..Submit::default() }
    }

    /// Queues so many; how long each submission took.
    fn fill(&mut self, submissions: u64) -> Vec<Duration> {
        let mut times = Vec::new();
        for _ in 0..submissions {
            let submit = self.submission();
            let begun = Instant::now();
            let reply = self.ask(self.client, submit);
            times.push(begun.elapsed());
            assert!(matches!(reply, Some(Message::Accepted(_))));
        }
        times
    }

    fn node_works(&mut self) {
        for order in std::mem::take(&mut self.orders) {
            let (status, core) = (Status::DONE, order.core);
            let result = |index: usize| {
                let bytes = order.items.0[index].size;
                ItemResult { index: index as u32, core, status, bytes, ..ItemResult::default() }
            };
            let results = List((0..order.items.0.len()).map(result).collect());
            self.ask(self.node, OrderDone { epoch: order.epoch, order: order.order, results });
        }
    }
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second number") * 4096
}

/// Time that this thread was on a processor: others may want it too.
fn on_processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let ns = stat.split_whitespace().next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("the first number"))
}

fn of_a_hundred(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// With so many thousand requests queued.
fn costs(thousands: u64) {
    let mut bench = Bench::new();
    let before = resident();
    let times = bench.fill(thousands);
    let each = (resident() - before) as f64 / (thousands * ITEMS) as f64;
    println!("{thousands},000 queued: {each:.0} bytes each");
    assert!(each <= 256.0, "{each} bytes");
    let (early, late) = times.split_at(times.len() / 2);
    let (early, late) = (&early[..early.len().min(200)], &late[late.len().saturating_sub(200)..]);
    for percent in [50, 99] {
        let (first, last) = (of_a_hundred(early, percent), of_a_hundred(late, percent));
        println!("submitting 1,000: p{percent} {first:?} into few, {last:?} into many");
    }
    let ratio = of_a_hundred(late, 50).as_secs_f64() / of_a_hundred(early, 50).as_secs_f64();
    // A queue that were searched would cost a hundred times more, not a few.
    assert!(ratio < 5.0, "{ratio}");
    cancels(&mut bench);
    lists(&mut bench);
}

fn cancels(bench: &mut Bench) {
    let submit = bench.submission();
    let Some(Message::Accepted(it)) = bench.ask(bench.client, submit) else { panic!() };
    let mut times = Vec::new();
    for request in it.requests.0 {
        let cancel = Cancel { session: bench.session, requests: List(vec![request]) };
        let begun = Instant::now();
        bench.ask(bench.client, cancel);
        times.push(begun.elapsed());
    }
    let typical = of_a_hundred(&times, 50);
    println!("cancelling one: {typical:?}, p99 {:?}", of_a_hundred(&times, 99));
    assert!(typical < Duration::from_micros(100), "{typical:?}");
}

fn lists(bench: &mut Bench) {
    let other = match bench.ask(bench.client, CreateSession::default()) {
        Some(Message::SessionCreated(it)) => it.session,
        other => panic!("{other:?}"),
    };
    // All of them; those of a session that has none.
    for session in [bench.session, other] {
        let mut times = Vec::new();
        let (mut after, mut pages) = (0, 0);
        while pages < 50 {
            let ask = ListRequests { session, after, limit: 4096, ..ListRequests::default() };
            let begun = Instant::now();
            let Some(Message::Requests(it)) = bench.ask(bench.client, ask) else { panic!() };
            times.push(begun.elapsed());
            (after, pages) = (it.next, pages + 1);
            if after == 0 {
                break;
            }
        }
        let typical = of_a_hundred(&times, 50);
        println!("a page of a listing: {typical:?}, p99 {:?}", of_a_hundred(&times, 99));
        assert!(typical < Duration::from_millis(5), "{typical:?}");
    }
}

/// From being submitted to the outcome, all in this thread; requests per second.
fn throughput(thousands: u64, queued_first: bool) -> f64 {
    let mut bench = Bench::new();
    let begun = on_processor();
    if queued_first {
        bench.fill(thousands);
        bench.join();
        while !bench.orders.is_empty() {
            bench.node_works();
        }
    } else {
        bench.join();
        for _ in 0..thousands {
            bench.fill(1);
            bench.node_works();
        }
        while !bench.orders.is_empty() {
            bench.node_works();
        }
    }
    assert_eq!(bench.outcomes, thousands * ITEMS);
    assert_eq!(bench.core.open_requests(), 0);
    (thousands * ITEMS) as f64 / (on_processor() - begun).as_secs_f64()
}

/// One after the other: they measure the same processor and memory.
#[test]
fn a_queue_of_a_hundred_thousand_costs_little() {
    costs(100);
    for queued_first in [false, true] {
        let rate = throughput(100, queued_first);
        println!("queued first {queued_first}: {rate:.0} requests/s");
        assert!(rate > 50_000.0, "{rate}");
    }
}

#[test]
#[ignore = "its bounds are for optimized code: \
            cargo test --release -p dray-core --test cost -- --ignored --nocapture"]
fn a_queue_of_a_million_costs_little() {
    costs(1000);
    for queued_first in [false, true] {
        let rate = throughput(1000, queued_first);
        println!("queued first {queued_first}: {rate:.0} requests/s");
        assert!(rate > 400_000.0, "{rate}");
    }
}
