//! One run: a scenario and a seed, to the end.

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use dray_archive::Archive;
use dray_io::Kind as FileKind;
use dray_mover::{Entry, Error, RestoreOptions, Run, Tally, Watch};
use dray_sim::Sim;

use crate::agenda::{Agenda, Event};
use crate::checks::{Check, Checks, Counts, Fault};
use crate::clients::{Client, Kind};
use crate::clock::{Clock, MS};
use crate::cluster::{Cluster, Shared, Wrong};
use crate::files::{UNIT, base, place};
use crate::host::Host;
use crate::injected::{Injected, Kind as Fail};
use crate::node::{Node, NodeEvent};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::store::Store;
use crate::trace::Trace;

/// How long it may take after the last fault until all is done.
const DRAIN: u64 = 90_000 * MS;

/// A scenario with the machine that its runs begin on.
pub(crate) struct Stage {
    scenario: Arc<Scenario>,
    base: Sim,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sum: u64,
    pub(crate) events: u64,
    pub(crate) operations: u64,
    pub(crate) counts: Counts,
    pub(crate) requests: u64,
    pub(crate) injected: Injected,
    pub(crate) faults: Vec<Fault>,
    pub(crate) lines: Vec<String>,
}

impl Stage {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let base = base(&scenario);
        Self { scenario: Arc::new(scenario), base }
    }

    pub(crate) fn run(&self, seed: u64, wrong: Wrong, wordy: bool) -> Outcome {
        let shared = self.set_up(seed, wrong, wordy);
        let busy = self.scenario.busy_ms * MS;
        while shared.lock().now < busy && shared.step() {}
        let until = shared.lock().now + DRAIN;
        while !shared.lock().is_done() && shared.lock().now < until && shared.step() {}
        let mut cluster = shared.lock();
        cluster.judge();
        let Cluster { checks, trace, injected, .. } = &mut *cluster;
        Outcome {
            sum: trace.sum,
            events: trace.events,
            operations: trace.operations,
            counts: checks.counts,
            requests: checks.requests.known.len() as u64,
            injected: *injected,
            faults: std::mem::take(&mut checks.faults),
            lines: trace.lines.take().unwrap_or_default().into(),
        }
    }

    fn set_up(&self, seed: u64, wrong: Wrong, wordy: bool) -> Shared {
        let scenario = &self.scenario;
        let mut random = Random::new(seed);
        let sim = self.base.after_crash(seed);
        let mut checks = Checks::default();
        checks.look_at_all(&sim, scenario.files);
        let mut clock = || Clock::new(&mut random);
        let hosts: Vec<Host> = (0..scenario.coordinators).map(|_| Host::new(clock())).collect();
        let nodes = (0..scenario.nodes).map(|_| Node::new(0, clock(), sim.process()));
        let nodes: Vec<Node> = nodes.collect();
        let mut injected = Injected::default();
        let clocks =
            hosts.iter().map(|it: &Host| &it.clock).chain(nodes.iter().map(|it: &Node| &it.clock));
        clocks.filter(|it| it.is_skewed()).for_each(|_| injected.count(Fail::Skew));
        let kinds = [
            (Kind::Mover, scenario.movers),
            (Kind::FrontEnd, scenario.front_ends),
            (Kind::Holder, scenario.holders),
            (Kind::Reader, scenario.readers),
        ];
        let clients =
            kinds.into_iter().flat_map(|(kind, count)| (0..count).map(move |_| Client::new(kind)));
        let cluster = Cluster {
            now: 0,
            scenario: Arc::clone(scenario),
            wrong,
            agenda: Agenda::default(),
            links: Vec::new(),
            hosts,
            store: Store::default(),
            nodes,
            clients: clients.collect(),
            checks,
            trace: Trace::new(wordy),
            injected,
            calm: false,
            calls: Vec::new(),
            me: Weak::new(),
            random,
            sim,
        };
        let shared = Shared(Arc::new(Mutex::new(cluster)));
        let mut cluster = shared.lock();
        cluster.me = Arc::downgrade(&shared.0);
        cluster.begin();
        drop(cluster);
        shared
    }
}

impl Cluster {
    fn begin(&mut self) {
        self.attend();
        for host in 0..self.hosts.len() {
            self.start_host(0, host);
        }
        for node in 0..self.nodes.len() {
            let at = self.soon(20);
            self.note_node(at, node, NodeEvent::Connect);
        }
        for client in 0..self.clients.len() {
            let at = self.soon(100);
            self.client_starts(at, client);
        }
        self.agenda.note(20 * MS, Event::User);
        self.agenda.note(100 * MS, Event::Chaos);
        self.agenda.note(self.scenario.busy_ms * MS, Event::Calm);
    }

    /// From now on others go on while a process moves files.
    pub(crate) fn attend(&mut self) {
        let me = self.me.clone();
        self.sim.attend(move |sim, step| {
            if sim.number() > 0
                && let Some(cluster) = me.upgrade()
            {
                Shared(cluster).before(sim, step);
            }
        });
    }

    /// Whether nobody waits for anything.
    fn is_done(&self) -> bool {
        self.calm
            && self.calls.is_empty()
            && self.nodes.iter().all(|node| node.is_member() && node.orders.is_empty())
            && !self.clients.iter().any(Client::is_waiting)
            && self.hosts.iter().any(|host| host.core.is_some())
            && self.hosts.iter().filter_map(Host::open_requests).all(|open| open == 0)
    }

    /// All has come to rest: what must be so by now.
    fn judge(&mut self) {
        self.observe();
        if !self.is_done() {
            let readers = self.clients.iter().filter(|it| it.blocked.is_some());
            let readers: Vec<String> = readers.map(|it| format!("{it:?}")).collect();
            for reader in readers {
                self.checks.fault(Check::Reader, format!("is never answered: {reader}"));
            }
            let waiting = self.clients.iter().filter(|it| it.is_waiting());
            let clients: Vec<String> = waiting.map(|it| format!("{it:?}")).collect();
            let nodes: Vec<bool> = self.nodes.iter().map(|node| node.is_member()).collect();
            let open: Vec<Option<usize>> = self.hosts.iter().map(Host::open_requests).collect();
            let what =
                format!("does not end: {open:?} open, nodes there {nodes:?}, waiting: {clients:?}");
            self.checks.fault(Check::Drain, what);
            return;
        }
        let open: Vec<String> = self.checks.requests.open().map(|it| format!("{it:?}")).collect();
        for what in open {
            self.checks.fault(Check::Promise, format!("never heard of again: {what}"));
        }
        for file in 0..self.checks.files.len() {
            self.checks.observe(self.now, &self.sim, file);
            self.checks.content(&self.sim, file);
        }
        if self.checks.faults.is_empty() {
            self.bring_back();
        }
    }

    /// Every file can be had from the archive as its user wrote it.
    fn bring_back(&mut self) {
        // Nobody else is there any more.
        let sim = self.sim.after_crash(1);
        sim.advance(1000 * MS);
        let heard = Heard::default();
        let outcome = act(&sim, &heard, self.checks.files.len());
        if let Err(error) = outcome {
            self.checks.fault(Check::Whole, format!("in the end: {error}"));
        }
        for what in heard.0.into_inner().expect("nobody panicked") {
            self.checks.fault(Check::Whole, format!("in the end: {what}"));
        }
        for file in 0..self.checks.files.len() {
            self.checks.observe(self.now, &sim, file);
            if !self.checks.shape(file).is_there() {
                let shape = self.checks.shape(file);
                let what = format!("file {file} is not brought back: {shape:?}");
                self.checks.fault(Check::Whole, what);
            }
            self.checks.content(&sim, file);
        }
    }
}

/// Releases what is in the archive, and restores all.
fn act(sim: &Sim, heard: &Heard, files: usize) -> dray_mover::Result<()> {
    let archive = Archive::open(sim, &place())?;
    let tally = Tally::default();
    let run = Run { tally: &tally, watch: heard };
    let entries = || {
        let entry = |file| Ok(Entry::new(crate::files::path_of(file), FileKind::File));
        (0..files).map(entry)
    };
    dray_mover::release(sim, &archive, &mut entries(), &run)?;
    dray_mover::restore(sim, &archive, &mut entries(), RestoreOptions::new(UNIT), &run)
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Watch for Heard {
    fn failed(&self, path: &Path, error: &Error) {
        // What is not in the archive, or was written to since, is not released.
        if !matches!(error, Error::NotArchived { .. } | Error::Dirty { .. }) {
            let what = format!("{}: {error}", path.display());
            self.0.lock().expect("nobody panicked").push(what);
        }
    }
}
