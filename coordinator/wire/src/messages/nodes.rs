//! `Nodes`.

use crate::codec::{List, Text, Zeros};
use crate::ids::NodeId;
use crate::limits::{CORES_MAX, LABEL_MAX, NODES_MAX};
use crate::macros::{message, record};

message! {
    /// The nodes of the cluster.
    Nodes = 0x050d {
        nodes: List<NodeInfo, NODES_MAX>,
    }
}

record! {
    /// A node.
    NodeInfo {
        node: NodeId,
        cores: u16,
        /// Orders posted to it and not done.
        running: u32,
        /// Items under way, as it said.
        load: u32,
        lease_left_ms: u32,
        /// Items done.
        done: u64,
        /// Moved.
        bytes: u64,
        /// Moved by each of its cores; the first is what no core in particular moved.
        core_bytes: List<u64, CORES_MAX>,
        /// 1 if it also coordinates.
        coordinator: u8,
        reserved: Zeros<7>,
        name: Text<LABEL_MAX>,
    }
}
