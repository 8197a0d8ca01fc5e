//! The cluster, its files, and a round.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dray_e2e::{Cluster, NODES, Rng, Signal, Sizes, Snapshot, content};
use serde_json::Value;

use dray_store::local::{LocalEtcd, Place};

use crate::fault::Fault;
use crate::load::Load;
use crate::view::View;

const MIB: u64 = 1 << 20;
pub(crate) const MEMBERS: usize = 3;
/// For whatever takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Longer than a lead, and than a lease.
const STOPPED: Duration = Duration::from_secs(5);
/// Small files of each tree, and large ones, which are split.
const SMALL: u64 = 400;
/// Whoever restores one in parts cannot tell that nobody touched it meanwhile, so each turn
/// archives them anew: they are no larger than they have to be.
const LARGE: u64 = 2;

pub(crate) struct Scene {
    // In the order in which they are to end.
    cluster: Cluster,
    etcd: LocalEtcd,
    trees: Vec<(PathBuf, Snapshot)>,
    epochs: u64,
}

impl Scene {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let sizes = Sizes { xfs: 2 << 30, ext4: 2 << 30, split: 4 * MIB, part: MIB };
        let mut cluster = Cluster::new(sizes);
        let etcd = begin_etcd(&cluster);
        cluster.start_all("", &store_of(&etcd));
        let mut rng = Rng::new(11);
        let mut trees = Vec::new();
        for root in [&cluster.xfs.path, &cluster.ext4.path] {
            let tree = root.join("tree");
            fill(&tree, &mut rng);
            let snapshot = Snapshot::take(&tree);
            trees.push((tree, snapshot));
        }
        Self { cluster, etcd, trees, epochs: 0 }
    }

    fn view(&self, from: &str) -> View {
        View::from(&self.cluster, from)
    }

    /// How each node's log ends.
    fn logs(&self) -> [Vec<String>; NODES.len()] {
        NODES.map(|node| {
            let log = self.cluster.log(node);
            let lines: Vec<String> = log.lines().map(str::to_owned).collect();
            lines[lines.len().saturating_sub(40)..].to_vec()
        })
    }

    /// Looks until it is as wanted; what was seen then.
    #[track_caller]
    fn until(&self, from: &str, what: &str, wanted: impl Fn(&View) -> bool) -> View {
        let until = Instant::now() + PATIENCE;
        loop {
            let view = self.view(from);
            if wanted(&view) {
                return view;
            }
            assert!(Instant::now() < until, "{what}: {view:?} {:#?}", self.logs());
            std::thread::sleep(LOOK);
        }
    }

    /// One thing fails under load, and is mended; how long it took for the work to go on.
    #[track_caller]
    pub(crate) fn round(&mut self, fault: Fault, round: u64) -> Duration {
        let whole = |view: &View| view.0.len() == NODES.len() && view.coordinator().is_some();
        let before = self.until(NODES[0], "all nodes", whole);
        let coordinator = before.coordinator().unwrap().to_owned();
        let others: Vec<&str> = NODES.into_iter().filter(|it| *it != coordinator).collect();
        let victim = if fault.deposes() { &coordinator } else { others[(round % 2) as usize] };
        let victim = victim.to_owned();
        // Those that are asked while it is away.
        let rest: Vec<&str> = NODES.into_iter().filter(|it| *it != victim).collect();
        let loads: Vec<Load> = (self.trees.iter().zip(&rest))
            .map(|((tree, _), node)| Load::start(&self.cluster.config(node), tree))
            .collect();
        let busy = |view: &View| view.node(&victim).is_some_and(|node| node.orders > 0);
        let at = self.until(rest[0], "work at the one that fails", busy);

        let (began, member) = (Instant::now(), (round % MEMBERS as u64) as usize);
        self.inflict(fault, &victim, member);
        let goes_on = |view: &View| match fault {
            _ if fault.deposes() => {
                let other = view.coordinator().is_some_and(|it| it != coordinator);
                other && view.done() + view.orders_without(&victim) > 0
            }
            // A coordinator counts anew.
            Fault::Member if view.coordinator() == at.coordinator() => view.done() > at.done(),
            Fault::Member => view.done() > 0,
            _ => view.coordinator().is_some() && view.node(&victim).is_none(),
        };
        self.until(rest[0], "the work goes on", goes_on);
        let took = began.elapsed();
        if took > fault.allowed() {
            println!("{fault}: {took:?}, {member} {victim}: {:#?}", self.logs());
        }
        self.mend(fault, &victim, member, began);
        self.until(rest[1], "all nodes again", whole);
        for load in loads {
            load.end();
        }
        self.check(rest[0]);
        took
    }

    #[track_caller]
    fn open_requests(&self, from: &str) -> Value {
        let output = self.cluster.dray(from, &["request", "list", "--open"]);
        assert_eq!(output.code, Some(0), "{output:?} {:#?}", self.logs());
        output.json()
    }

    fn inflict(&mut self, fault: Fault, victim: &str, member: usize) {
        match fault {
            Fault::Worker | Fault::Coordinator => self.cluster.daemons.kill(victim),
            Fault::Stopped => self.cluster.daemons.signal(victim, Signal::STOP),
            Fault::CutCoordinator | Fault::CutWorker => self.cluster.net.cut(victim),
            Fault::Member => self.etcd.kill_member(member),
        }
    }

    #[track_caller]
    fn mend(&mut self, fault: Fault, victim: &str, member: usize, began: Instant) {
        match fault {
            Fault::Worker | Fault::Coordinator => self.cluster.start_node(victim),
            Fault::Stopped => {
                std::thread::sleep(STOPPED.saturating_sub(began.elapsed()));
                self.cluster.daemons.signal(victim, Signal::CONT);
            }
            Fault::CutCoordinator | Fault::CutWorker => self.cluster.net.mend(victim),
            Fault::Member => self.etcd.start_member(member).unwrap(),
        }
    }

    /// Every file is as it was, no request is open, and one node coordinates.
    #[track_caller]
    fn check(&mut self, from: &str) {
        for (tree, before) in &self.trees {
            before.assert_same(&Snapshot::take(tree));
        }
        let open = self.open_requests(from);
        assert_eq!(open["requests"].as_array().map(Vec::len), Some(0), "{open}");
        let epochs = NODES.map(|node| leads(&self.cluster.log(node)));
        let leading = epochs.iter().filter(|(_, leads)| *leads).count();
        assert_eq!(leading, 1, "{epochs:?} {:#?}", self.logs());
        let newest = epochs.iter().map(|(epoch, _)| *epoch).max().unwrap();
        let (epoch, _) = epochs.into_iter().find(|(_, leads)| *leads).unwrap();
        assert_eq!(epoch, newest, "an old coordinator leads");
        assert!(epoch >= self.epochs, "epochs went back");
        self.epochs = epoch;
        for node in NODES {
            let joined = joined(&self.cluster.log(node));
            assert!(joined.is_sorted(), "{node} has joined an older coordinator: {joined:?}");
        }
    }
}

/// An etcd beside the nodes, which may not be well yet.
#[track_caller]
pub(crate) fn begin_etcd(cluster: &Cluster) -> LocalEtcd {
    let places = (0..MEMBERS).map(|number| {
        let (address, within) = cluster.net.guest(number);
        Place { address, within, ports: (2379, 2380) }
    });
    LocalEtcd::begin_at(cluster.path(), places.collect()).unwrap()
}

/// What nodes that use it have in `[store]`.
pub(crate) fn store_of(etcd: &LocalEtcd) -> String {
    format!("kind = \"etcd\"\nendpoints = {:?}", etcd.endpoints())
}

fn fill(tree: &Path, rng: &mut Rng) {
    fs::create_dir_all(tree).unwrap();
    for number in 0..SMALL {
        let bytes = content(rng.number(), rng.below(60_000));
        fs::write(tree.join(format!("small{number}")), bytes).unwrap();
    }
    for number in 0..LARGE {
        let bytes = content(rng.number(), 7 * MIB + 4097 * number);
        fs::write(tree.join(format!("large{number}")), bytes).unwrap();
    }
}

/// The last epoch in which a node was elected, and whether it has not said that this is over. One
/// that was killed says nothing: its log goes on with its next start.
fn leads(log: &str) -> (u64, bool) {
    let (mut last, mut leads) = (0, false);
    for line in log.lines() {
        if line.contains("election: elected") {
            (last, leads) = (number_after(line, "epoch=").unwrap_or(0), true);
        } else if line.contains("leads no more") || line.contains("drayd begins") {
            leads = false;
        }
    }
    (last, leads)
}

/// The epochs of the coordinators that a node has joined, since its last start.
fn joined(log: &str) -> Vec<u64> {
    let own = log.rsplit("drayd begins").next().unwrap_or(log);
    let lines = own.lines().filter(|line| line.contains("joined"));
    lines.filter_map(|line| number_after(line, "epoch=")).collect()
}

fn number_after(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
