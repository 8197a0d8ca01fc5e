//! Three nodes that reach the same LUNs: what one of them is asked for is done by all.
//!
//! The long form is `cargo xtask cluster`.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use dray_e2e::{
    Cluster, NODES, Rng, Sizes, Snapshot, awkward_tree, content, hash_file, need_root, need_tool,
};
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// Whether there is all that a cluster takes.
fn can(name: &str) -> bool {
    need_root(name) && ["ip", "mkfs.xfs", "mkfs.ext4"].iter().all(|tool| need_tool(name, tool))
}

/// So many small files of random content in directories of some hundred.
fn fill(root: &Path, files: u64, rng: &mut Rng) {
    for number in 0..files {
        let directory = root.join(format!("d{}", number / 200));
        if number % 200 == 0 {
            fs::create_dir_all(&directory).unwrap();
        }
        let bytes = content(rng.number(), rng.below(60_000));
        fs::write(directory.join(format!("f{number}")), bytes).unwrap();
    }
}

fn large(path: &Path, bytes: u64, rng: &mut Rng) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    let block = content(rng.number(), MIB);
    for number in 0..bytes / MIB {
        let mut block = block.clone();
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block).unwrap();
    }
    file.write_all(b"an end that fills no block").unwrap();
    file.sync_all().unwrap();
}

/// Bytes by each core of each node since the figures before.
fn cores(before: &[Value], after: &[Value]) -> Vec<(String, Vec<u64>)> {
    let bytes = |nodes: &[Value], name: &str| -> Vec<u64> {
        let node = nodes.iter().find(|node| node["name"] == name).expect("the node");
        let list = node["core_bytes"].as_array().expect("a list");
        list.iter().map(|it| it.as_u64().expect("a number")).collect()
    };
    let moved = |name: &str| {
        let (before, after) = (bytes(before, name), bytes(after, name));
        after.iter().zip(before).map(|(after, before)| after - before).collect()
    };
    NODES.map(|name| (name.to_owned(), moved(name))).to_vec()
}

fn done(nodes: &[Value]) -> Vec<(String, u64)> {
    let of = |name: &str| {
        let node = nodes.iter().find(|node| node["name"] == name).expect("the node");
        (name.to_owned(), node["done"].as_u64().expect("a number"))
    };
    NODES.map(of).to_vec()
}

#[test]
fn three_nodes_share_the_work_and_all_comes_back() {
    if !can("three_nodes_share_the_work_and_all_comes_back") {
        return;
    }
    let files = number("DRAY_CLUSTER_FILES", 1500);
    let gib = number("DRAY_CLUSTER_GIB", 0);
    let bytes = if gib > 0 { gib << 30 } else { 192 * MIB };
    let (split, part) = if gib > 0 { (0, 0) } else { (64 * MIB, 16 * MIB) };
    let cluster = Cluster::start(Sizes {
        xfs: 2 * bytes + (4 << 30),
        ext4: (2 << 30) + files * 64 * 1024,
        split,
        part,
    });
    let mut rng = Rng::new(7);
    let (xfs, ext4) = (cluster.xfs.path.clone(), cluster.ext4.path.clone());
    fill(&xfs.join("tree"), files / 2, &mut rng);
    fill(&ext4.join("tree"), files - files / 2, &mut rng);
    awkward_tree(&ext4.join("awkward"));
    let big = xfs.join("big");
    large(&big, bytes, &mut rng);
    let before = [Snapshot::take(&xfs.join("tree")), Snapshot::take(&ext4)];
    let hash = hash_file(&big);
    let paths = [xfs.to_str().unwrap(), ext4.to_str().unwrap()];

    for (verb, node) in [("archive", "n2"), ("release", "n3"), ("restore", "n2")] {
        let (nodes, began) = (cluster.nodes(), Instant::now());
        let output = cluster.dray(node, &[verb, paths[0], paths[1]]);
        let logs = || NODES.map(|node| cluster.log(node));
        assert_eq!(output.code, Some(0), "{verb}: {} {:#?}", output.stderr, logs());
        let after = cluster.nodes();
        let seconds = began.elapsed().as_secs_f64();
        let moved = cores(&nodes, &after);
        println!("{verb}: {seconds:.2} s, bytes of the large file by core: {moved:?}");
        if verb != "release" {
            let busy = |(_, cores): &(String, Vec<u64>)| cores.iter().all(|bytes| *bytes > 0);
            assert!(moved.iter().all(busy), "{verb}: a core took no part: {moved:?}");
        }
        if verb == "release" {
            assert!(disk_use(&big) < bytes / 10, "the large file was not released");
        }
    }
    let shares = done(&cluster.nodes());
    println!("items done by node: {shares:?}");
    let all: u64 = shares.iter().map(|(_, done)| done).sum();
    assert!(shares.iter().all(|(_, done)| *done > all / 10), "{shares:?}");
    assert!(shares[0].1 * 2 < all, "most of it was done by the coordinator: {shares:?}");
    assert_eq!(hash_file(&big), hash, "the large file came back otherwise");
    let after = [Snapshot::take(&xfs.join("tree")), Snapshot::take(&ext4)];
    for (after, before) in after.iter().zip(&before) {
        before.assert_same(after);
    }
}

fn disk_use(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn a_program_is_a_client_whatever_it_says() {
    use std::io::{Read, Write};
    if !can("a_program_is_a_client_whatever_it_says") {
        return;
    }
    let sizes = Sizes { xfs: 1 << 30, ext4: 1 << 30, split: 0, part: 0 };
    let mut cluster = Cluster::start(sizes);
    // Through the daemon of a node that does not coordinate: its certificate is on the way.
    let said = |role| {
        let mut socket = std::os::unix::net::UnixStream::connect(cluster.socket("n2")).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let name = dray_wire::Text::new("n2");
        let hello = dray_wire::messages::Hello {
            version_from: 1,
            version_to: 1,
            role,
            name,
            ..Default::default()
        };
        // The byte with which a listener lets somebody in.
        socket.read_exact(&mut [0]).unwrap();
        let mut frame = Vec::new();
        dray_wire::encode(&hello.into(), 1, &mut frame);
        socket.write_all(&frame).unwrap();
        socket.read(&mut [0; 64]).map_or(0, |count| count)
    };
    assert!(said(dray_wire::Role::CLIENT) > 0, "a client gets a Welcome");
    assert_eq!(said(dray_wire::Role::NODE), 0, "a program passed for a node");
    // Certificates of another authority, and none, get nothing from the coordinator.
    let other = cluster.path().join("other");
    let dray = |words: &[&str]| cluster.dray("n1", words).expect(0);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    dray(&["tls", "init", "--dir", &text(&other)]);
    let out = cluster.path().join("foreign");
    dray(&["tls", "issue", "--ca", &text(&other), "--node", "n2", "--out", &text(&out)]);
    let config = fs::read_to_string(cluster.config("n2")).unwrap();
    let own = text(&cluster.path().join("n2"));
    let foreign = config.replace(&format!("{own}/ca.pem"), &text(&out.join("ca.pem")));
    let foreign = foreign.replace(&format!("{own}/cert.pem"), &text(&out.join("cert.pem")));
    let foreign = foreign.replace(&format!("{own}/key.pem"), &text(&out.join("key.pem")));
    let foreign = foreign.replace("name = \"n2\"", "name = \"n4\"");
    let foreign = foreign.replace(&format!("{own}/socket"), &text(&out.join("socket")));
    let path = cluster.path().join("foreign.toml");
    fs::write(&path, foreign).unwrap();
    cluster.start_as("n3", &path, "foreign");
    let until = Instant::now() + std::time::Duration::from_secs(20);
    while !cluster.log("foreign").contains("trying again") {
        assert!(Instant::now() < until, "{}", cluster.log("foreign"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(cluster.nodes().len(), 3);
}
