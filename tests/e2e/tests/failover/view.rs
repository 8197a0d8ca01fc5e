//! The cluster as one of its nodes says.

use serde_json::Value;

use dray_e2e::Cluster;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) coordinates: bool,
    /// Posted to it and not done.
    pub(crate) orders: u64,
    /// Items done for this coordinator.
    pub(crate) done: u64,
}

/// All nodes that the coordinator counts on; none while there is no coordinator.
#[derive(Debug, Clone, Default)]
pub(crate) struct View(pub(crate) Vec<Node>);

impl View {
    pub(crate) fn from(cluster: &Cluster, node: &str) -> Self {
        let of = |value: &Value| Node {
            name: value["name"].as_str().unwrap().to_owned(),
            coordinates: value["coordinator"].as_bool().unwrap(),
            orders: value["orders"].as_u64().unwrap(),
            done: value["done"].as_u64().unwrap(),
        };
        Self(cluster.nodes_from(node).iter().map(of).collect())
    }

    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|node| node.name == name)
    }

    pub(crate) fn coordinator(&self) -> Option<&str> {
        self.0.iter().find(|node| node.coordinates).map(|node| node.name.as_str())
    }

    /// Items done, by all of them.
    pub(crate) fn done(&self) -> u64 {
        self.0.iter().map(|node| node.done).sum()
    }

    /// Orders under way at all but one.
    pub(crate) fn orders_without(&self, name: &str) -> u64 {
        self.0.iter().filter(|node| node.name != name).map(|node| node.orders).sum()
    }
}
