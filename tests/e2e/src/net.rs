//! Network namespaces, joined by a bridge in one of their own: machines, as far as the network can
//! tell.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::guard::tool;

/// The one with the bridge.
const HUB: &str = "hub";

/// Of this process, so far: tests of one process that run at once have names of their own.
static NETS: AtomicUsize = AtomicUsize::new(0);

/// They end with their value; what runs in them has to have ended.
#[derive(Debug)]
pub struct Net {
    prefix: String,
    nodes: Vec<String>,
}

impl Net {
    /// A namespace for each node, and one for whatever all of them reach.
    pub fn new(nodes: &[&str]) -> Self {
        let number = NETS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("dray-{}-{number}", std::process::id());
        let net = Self { prefix, nodes: nodes.iter().map(|&node| node.to_owned()).collect() };
        let hub = net.space(HUB);
        tool("ip", ["netns", "add", &hub]);
        tool("ip", ["-n", &hub, "link", "add", "bridge", "type", "bridge"]);
        tool("ip", ["-n", &hub, "link", "set", "bridge", "up"]);
        tool("ip", ["-n", &hub, "link", "set", "lo", "up"]);
        for (index, node) in nodes.iter().enumerate() {
            let space = net.space(node);
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

    fn space(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// What a command line begins with that is to run at a node.
    pub fn at(&self, node: &str) -> Vec<String> {
        let words = ["ip", "netns", "exec", &self.space(node)];
        words.map(str::to_owned).to_vec()
    }

    /// Another machine, at the bridge: its address, and what a command line begins with there.
    pub fn guest(&self, number: usize) -> (String, Vec<String>) {
        let address = address(100 + number);
        let hub = self.space(HUB);
        let whole = format!("{address}/24");
        tool("ip", ["-n", &hub, "address", "add", &whole, "dev", "bridge"]);
        (address, self.at(HUB))
    }

    /// Cuts the cable of a node: nothing gets through, and nobody is told.
    pub fn cut(&self, node: &str) {
        tool("ip", ["-n", &self.space(HUB), "link", "set", node, "down"]);
    }

    pub fn mend(&self, node: &str) {
        tool("ip", ["-n", &self.space(HUB), "link", "set", node, "up"]);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in self.nodes.iter().map(String::as_str).chain([HUB]) {
            let _ = Command::new("ip").args(["netns", "delete", &self.space(name)]).output();
        }
    }
}

/// Of the node with this index.
pub(crate) fn address(index: usize) -> String {
    format!("10.77.0.{}", index + 1)
}
