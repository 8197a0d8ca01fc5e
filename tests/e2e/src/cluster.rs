//! A cluster on one machine: daemons in network namespaces, over file systems on loop LUNs that all
//! of them reach. All of it ends with the value.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dray::{Output, binary, command, daemon};
use crate::guard::{LoopDevice, Mount};
use crate::net::{Net, address};
use crate::programs::Programs;

/// The first coordinates.
pub const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// Cores of each node: more than there are processors, so that sharing out shows.
const CORES: usize = 2;
/// For a daemon to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the LUNs, and what is split.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub xfs: u64,
    pub ext4: u64,
    pub split: u64,
    pub part: u64,
}

pub struct Cluster {
    // In the order in which they are to end.
    pub daemons: Programs,
    pub net: Net,
    pub xfs: Mount,
    pub ext4: Mount,
    sizes: Sizes,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// Makes the LUNs and the certificates; starts every node, the first to coordinate.
    #[track_caller]
    pub fn start(sizes: Sizes) -> Self {
        let mut cluster = Self::new(sizes);
        let coordinator = format!("coordinator = \"{}\"", NODES[0]);
        cluster.start_all(&coordinator, "");
        cluster
    }

    /// The same with nothing started.
    #[track_caller]
    pub fn new(sizes: Sizes) -> Self {
        let directory = tempfile::Builder::new().prefix("dray-e2e-").tempdir();
        let directory = directory.expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let lun = |name: &str, bytes, kind| {
            let device = LoopDevice::new(&path.join(format!("{name}.lun")), bytes).format(kind);
            Mount::new(device, &path.join(name))
        };
        let (xfs, ext4) = (lun("xfs", sizes.xfs, "xfs"), lun("ext4", sizes.ext4, "ext4"));
        let (daemons, net) = (Programs::default(), Net::new(&NODES));
        let cluster = Self { daemons, net, xfs, ext4, sizes, directory };
        cluster.prepare();
        cluster
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn archive(&self) -> PathBuf {
        self.path().join("archive")
    }

    fn prepare(&self) {
        let own = |command: &mut Command| {
            let output = command.output().expect("dray can be run");
            assert!(output.status.success(), "{command:?}: {output:?}");
        };
        let made = self.path().join("made.toml");
        let words = [Path::new("init"), Path::new("--fs"), &self.xfs.path];
        let mut init = command(binary());
        own(init.arg("--config").arg(&made).args(words).arg("--archive").arg(self.archive()));
        let ca = self.path().join("ca");
        own(command(binary()).args(["tls", "init", "--dir"]).arg(&ca));
        for node in NODES {
            let out = self.path().join(node);
            let mut issue = command(binary());
            issue.args(["tls", "issue", "--node", node, "--ca"]).arg(&ca);
            own(issue.arg("--out").arg(&out));
        }
    }

    /// With what stands of the coordinator in `[cluster]`, and of its store in `[store]`.
    fn configuration(&self, node: &str, coordinator: &str, store: &str) -> String {
        let path = self.path().display();
        let (xfs, ext4) = (self.xfs.path.display(), self.ext4.path.display());
        let (split, part) = (self.sizes.split, self.sizes.part);
        let archive = self.archive();
        let archive = archive.display();
        let store = match store {
            "" => format!("directory = \"{path}/{node}/store\""),
            other => other.to_owned(),
        };
        let mut nodes = String::new();
        for (index, node) in NODES.iter().enumerate() {
            nodes.push_str(&format!("{node} = \"tcp:{}:7440\"\n", address(index)));
        }
        format!(
            r#"[cluster]
mode = "cluster"
name = "test"
{coordinator}
split_bytes = {split}
part_bytes = {part}
[cluster.nodes]
{nodes}
[node]
name = "{node}"
socket = "{path}/{node}/socket"
[tls]
ca = "{path}/{node}/ca.pem"
cert = "{path}/{node}/cert.pem"
key = "{path}/{node}/key.pem"
[store]
{store}
[engine]
cores = {CORES}
[[archive]]
name = "main"
directory = "{archive}"
[[fs]]
name = "all"
path = "{xfs}"
archive = "main"
[[fs]]
name = "all"
path = "{ext4}"
archive = "main"
"#
        )
    }

    pub fn config(&self, node: &str) -> PathBuf {
        self.path().join(format!("{node}.toml"))
    }

    /// Where programs of a node find its daemon.
    pub fn socket(&self, node: &str) -> PathBuf {
        self.path().join(node).join("socket")
    }

    /// What a node has written to its log.
    pub fn log(&self, node: &str) -> String {
        fs::read_to_string(self.path().join(format!("{node}.log"))).unwrap_or_default()
    }

    /// Starts a daemon in the name space of a node, with a configuration and a log of its own.
    #[track_caller]
    pub fn start_as(&mut self, node: &str, config: &Path, log: &str) {
        let file = self.path().join(format!("{log}.log"));
        let file = fs::File::options().create(true).append(true).open(file);
        let words = self.net.at(node);
        let mut start = Command::new(&words[0]);
        start.args(&words[1..]).arg(daemon()).arg("--config").arg(config);
        start.env_remove("DRAY_CONFIG").stdin(Stdio::null());
        start.stderr(file.expect("a log can be made"));
        self.daemons.start(log, start);
    }

    /// Starts the daemon of a node, for the first time or again.
    #[track_caller]
    pub fn start_node(&mut self, node: &str) {
        let config = self.config(node);
        self.start_as(node, &config, node);
    }

    /// Writes the configurations, and starts every node; waits until all are there.
    #[track_caller]
    pub fn start_all(&mut self, coordinator: &str, store: &str) {
        self.begin_all(coordinator, store);
        self.wait();
    }

    /// Writes the configurations, and starts every node.
    #[track_caller]
    pub fn begin_all(&mut self, coordinator: &str, store: &str) {
        for node in NODES {
            fs::write(self.config(node), self.configuration(node, coordinator, store))
                .expect("a configuration can be written");
            self.start_node(node);
        }
    }

    /// Waits until every node is there.
    #[track_caller]
    pub fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        while self.nodes().len() < NODES.len() {
            let logs: Vec<String> = NODES.iter().map(|node| self.log(node)).collect();
            assert!(Instant::now() < until, "nodes are missing: {logs:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `dray` on one of the nodes.
    pub fn dray(&self, node: &str, words: &[&str]) -> Output {
        let mut run = command(binary());
        run.arg("--json").arg("--config").arg(self.config(node)).args(words);
        Output::of(run)
    }

    /// What `dray node list` has, none while nobody answers.
    pub fn nodes(&self) -> Vec<Value> {
        self.nodes_from(NODES[0])
    }

    /// The same, asked of a node.
    pub fn nodes_from(&self, node: &str) -> Vec<Value> {
        let listed = self.dray(node, &["node", "list"]);
        if listed.code != Some(0) {
            return Vec::new();
        }
        listed.json()["nodes"].as_array().cloned().unwrap_or_default()
    }
}
