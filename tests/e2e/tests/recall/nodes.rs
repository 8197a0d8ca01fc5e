//! A read on one node is served by movers of all.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use dray_e2e::{Cluster, NODES, Sizes, assert_content, holder, need_root, need_tool, write_file};
use serde_json::Value;

use crate::scene::can_watch;

const MIB: u64 = 1 << 20;
const FILES: u64 = 600;
/// Who read at once, of each tree.
const READERS: u64 = 24;

/// Items done by each node.
fn done(nodes: &[Value]) -> Vec<u64> {
    let of = |name: &&str| nodes.iter().find(|node| node["name"] == **name).unwrap();
    NODES.iter().map(|name| of(name)["done"].as_u64().unwrap()).collect()
}

/// One kernel serves all three here, so all of them share one holder.
#[test]
fn reads_are_served_by_all_nodes() {
    let test = "reads_are_served_by_all_nodes";
    let tools = ["ip", "mkfs.xfs", "mkfs.ext4"];
    if !need_root(test) || !tools.iter().all(|tool| need_tool(test, tool)) || !can_watch(test) {
        return;
    }
    let sizes = Sizes { xfs: 2 << 30, ext4: 1 << 30, split: 64 * MIB, part: 16 * MIB };
    let mut cluster = Cluster::new(sizes);
    let socket = cluster.path().join("holder.sock");
    let mut watch = Command::new(holder());
    watch.arg("--socket").arg(&socket).stdin(Stdio::null());
    for path in [&cluster.xfs.path, &cluster.ext4.path] {
        watch.arg("--watch").arg(path);
    }
    watch.stderr(fs::File::create(cluster.path().join("holder.log")).unwrap());
    cluster.daemons.start("holder", watch);
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let store = cluster.path().join("store");
    let more =
        format!("directory = \"{}\"\n[recall]\nsocket = \"{}\"", store.display(), socket.display());
    cluster.start_all("coordinator = \"n1\"", &more);
    let trees = [cluster.xfs.path.join("tree"), cluster.ext4.path.join("tree")];
    for tree in &trees {
        fs::create_dir(tree).unwrap();
        for number in 0..FILES {
            write_file(&tree.join(format!("f{number}")), number, 20_000 + number);
        }
        write_file(&tree.join("large"), 1, 200 * MIB + 5);
        let tree = tree.to_str().unwrap();
        cluster.dray("n1", &["archive", tree]).expect(0);
        cluster.dray("n2", &["release", tree]).expect(0);
    }
    let before = done(&cluster.nodes());
    // Neighbours go to one node as long as that has no more to do than the others.
    let read = |tree: &Path, reader: u64| {
        for number in (reader..FILES).step_by(READERS as usize) {
            assert_content(&tree.join(format!("f{number}")), number, 20_000 + number);
        }
    };
    std::thread::scope(|scope| {
        for tree in &trees {
            for reader in 0..READERS {
                scope.spawn(move || read(tree, reader));
            }
            scope.spawn(|| assert_content(&tree.join("large"), 1, 200 * MIB + 5));
        }
    });
    let after = done(&cluster.nodes());
    let by_node: Vec<u64> =
        after.iter().zip(&before).map(|(after, before)| after - before).collect();
    println!("restored by node: {by_node:?}");
    // The one that coordinates gets less.
    assert!(by_node.iter().filter(|done| **done > 0).count() > 1, "{by_node:?}");
}
