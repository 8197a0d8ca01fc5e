//! A cluster on one machine: daemons in network namespaces, over file systems on loop LUNs that all
//! of them reach. All of it ends with the value.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dray::{Output, binary, command, daemon};
use crate::guard::{LoopDevice, Mount, tool};

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

/// Network namespaces, joined by a bridge in one of their own.
struct Net {
    prefix: String,
}

impl Net {
    fn new() -> Self {
        let net = Self { prefix: format!("dray-{}", std::process::id()) };
        let hub = net.name("hub");
        tool("ip", ["netns", "add", &hub]);
        tool("ip", ["-n", &hub, "link", "add", "bridge", "type", "bridge"]);
        tool("ip", ["-n", &hub, "link", "set", "bridge", "up"]);
        for (index, node) in NODES.iter().enumerate() {
            let space = net.name(node);
            tool("ip", ["netns", "add", &space]);
            let peer = ["type", "veth", "peer", "name", "eth", "netns", &space];
            tool("ip", [&["-n", &hub, "link", "add", node][..], &peer].concat());
            tool("ip", ["-n", &hub, "link", "set", node, "master", "bridge", "up"]);
            let address = format!("{}/24", address(index));
            tool("ip", ["-n", &space, "address", "add", &address, "dev", "eth"]);
            tool("ip", ["-n", &space, "link", "set", "eth", "up"]);
            tool("ip", ["-n", &space, "link", "set", "lo", "up"]);
        }
        net
    }

    fn name(&self, node: &str) -> String {
        format!("{}-{node}", self.prefix)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for node in NODES.iter().chain(&["hub"]) {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(node)]).output();
        }
    }
}

fn address(index: usize) -> String {
    format!("10.77.0.{}", index + 1)
}

/// Daemons that end, politely first, with their value.
struct Daemons(Vec<Child>);

impl Drop for Daemons {
    fn drop(&mut self) {
        for child in &self.0 {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
        }
        let until = Instant::now() + PATIENCE;
        for child in &mut self.0 {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct Cluster {
    // In the order in which they are to end.
    daemons: Daemons,
    net: Net,
    pub xfs: Mount,
    pub ext4: Mount,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// Makes the LUNs, the certificates, the configurations; starts every node.
    #[track_caller]
    pub fn start(sizes: Sizes) -> Self {
        let directory = tempfile::Builder::new().prefix("dray-e2e-").tempdir();
        let directory = directory.expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let lun = |name: &str, bytes, kind| {
            let device = LoopDevice::new(&path.join(format!("{name}.lun")), bytes).format(kind);
            Mount::new(device, &path.join(name))
        };
        let (xfs, ext4) = (lun("xfs", sizes.xfs, "xfs"), lun("ext4", sizes.ext4, "ext4"));
        let net = Net::new();
        let cluster = Self { daemons: Daemons(Vec::new()), net, xfs, ext4, directory };
        cluster.prepare(sizes);
        cluster.start_all()
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn prepare(&self, sizes: Sizes) {
        let archive = self.path().join("archive");
        let own = |command: &mut Command| {
            let output = command.output().expect("dray can be run");
            assert!(output.status.success(), "{command:?}: {output:?}");
        };
        let made = self.path().join("made.toml");
        let words = [Path::new("init"), Path::new("--fs"), &self.xfs.path];
        let mut init = command(binary());
        own(init.arg("--config").arg(&made).args(words).arg("--archive").arg(&archive));
        let ca = self.path().join("ca");
        own(command(binary()).args(["tls", "init", "--dir"]).arg(&ca));
        for node in NODES {
            let out = self.path().join(node);
            let mut issue = command(binary());
            issue.args(["tls", "issue", "--node", node, "--ca"]).arg(&ca);
            own(issue.arg("--out").arg(&out));
            fs::write(self.config(node), self.configuration(node, &archive, sizes))
                .expect("a configuration can be written");
        }
    }

    fn configuration(&self, node: &str, archive: &Path, sizes: Sizes) -> String {
        let path = self.path().display();
        let (xfs, ext4) = (self.xfs.path.display(), self.ext4.path.display());
        let (split, part, archive) = (sizes.split, sizes.part, archive.display());
        let mut nodes = String::new();
        for (index, node) in NODES.iter().enumerate() {
            nodes.push_str(&format!("{node} = \"tcp:{}:7440\"\n", address(index)));
        }
        let coordinator = NODES[0];
        format!(
            r#"[cluster]
mode = "cluster"
name = "test"
coordinator = "{coordinator}"
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
directory = "{path}/{node}/store"
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
        let log = fs::File::create(self.path().join(format!("{log}.log")));
        let log = log.expect("a log can be made");
        let mut start = Command::new("ip");
        start.args(["netns", "exec", &self.net.name(node)]).arg(daemon());
        start.arg("--config").arg(config).env_remove("DRAY_CONFIG");
        let child = start.stdin(Stdio::null()).stderr(log).spawn();
        self.daemons.0.push(child.expect("drayd can be started"));
    }

    #[track_caller]
    fn start_all(mut self) -> Self {
        for node in NODES {
            let config = self.config(node);
            self.start_as(node, &config, node);
        }
        let until = Instant::now() + PATIENCE;
        while self.nodes().len() < NODES.len() {
            let logs: Vec<String> = NODES.iter().map(|node| self.log(node)).collect();
            assert!(Instant::now() < until, "nodes are missing: {logs:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }

    /// `dray` on one of the nodes.
    pub fn dray(&self, node: &str, words: &[&str]) -> Output {
        let mut run = command(binary());
        run.arg("--json").arg("--config").arg(self.config(node)).args(words);
        Output::of(run)
    }

    /// What `dray node list` has, none while nobody answers.
    pub fn nodes(&self) -> Vec<Value> {
        let listed = self.dray(NODES[0], &["node", "list"]);
        if listed.code != Some(0) {
            return Vec::new();
        }
        listed.json()["nodes"].as_array().cloned().unwrap_or_default()
    }
}
