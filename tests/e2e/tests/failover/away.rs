//! An etcd that is not there when the daemons start, and goes away while they work.

use std::fs;
use std::time::Duration;

use dray_e2e::{Cluster, NODES, Sizes, assert_content, write_file};
use dray_store::local::LocalEtcd;

use crate::scene::{MEMBERS, begin_etcd, store_of};

const MIB: u64 = 1 << 20;
/// Longer than a lead.
const AWAY: Duration = Duration::from_secs(5);

fn kill(etcd: &mut LocalEtcd) {
    (0..MEMBERS).for_each(|member| etcd.kill_member(member));
}

fn start(etcd: &mut LocalEtcd) {
    (0..MEMBERS).for_each(|member| etcd.start_member(member).unwrap());
}

#[test]
fn an_etcd_that_is_away_is_waited_for() {
    if !crate::can("an_etcd_that_is_away_is_waited_for") {
        return;
    }
    let sizes = Sizes { xfs: 512 * MIB, ext4: 256 * MIB, split: 64 * MIB, part: 16 * MIB };
    let mut cluster = Cluster::new(sizes);
    let mut etcd = begin_etcd(&cluster);
    kill(&mut etcd);
    cluster.begin_all("", &store_of(&etcd));
    std::thread::sleep(AWAY);
    for node in NODES {
        let log = cluster.log(node);
        assert!(log.contains("etcd"), "{node} says what is missing: {log}");
        let state = fs::read_to_string(format!("/proc/{}/stat", cluster.daemons.id(node)));
        assert!(!state.unwrap().contains(") Z "), "{node} waits: {log}");
    }
    start(&mut etcd);
    cluster.wait();

    let tree = cluster.xfs.path.join("tree");
    fs::create_dir(&tree).unwrap();
    for number in 0..20 {
        write_file(&tree.join(format!("f{number}")), number, 100_000 + number);
    }
    let place = tree.to_str().unwrap();
    cluster.dray(NODES[1], &["archive", place]).expect(0);
    kill(&mut etcd);
    std::thread::sleep(AWAY);
    let led = NODES.iter().any(|node| cluster.log(node).contains("leads no more"));
    assert!(led, "nobody leads without it");
    std::thread::scope(|scope| {
        // What is asked for meanwhile is done later.
        let release = scope.spawn(|| cluster.dray(NODES[2], &["release", place]));
        std::thread::sleep(Duration::from_secs(1));
        assert!(!release.is_finished(), "it waits");
        start(&mut etcd);
        release.join().unwrap().expect(0);
    });
    cluster.dray(NODES[0], &["restore", place]).expect(0);
    for number in 0..20 {
        assert_content(&tree.join(format!("f{number}")), number, 100_000 + number);
    }
}
