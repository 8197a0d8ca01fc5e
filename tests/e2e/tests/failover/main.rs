//! Three nodes that elect who coordinates, over an etcd of three members; each round something
//! fails while files are archived, released and restored, and nothing may be lost.
//!
//! The long form is `cargo xtask failover`.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod away;
mod fault;
mod load;
mod report;
mod scene;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use dray_e2e::{need_root, need_tool};

use fault::Fault;
use report::Report;
use scene::Scene;

/// After a node's end until its work is at others.
const WORK_MOVES: Duration = Duration::from_secs(3);
/// After a coordinator's end: etcd's lease of it, and then until another dispatches.
const LEADS_AGAIN: Duration = Duration::from_secs(3 + 2);

fn can(name: &str) -> bool {
    let tools = ["ip", "mkfs.xfs", "mkfs.ext4", "etcd"];
    need_root(name) && tools.iter().all(|tool| need_tool(name, tool))
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_fails_nothing_is_lost() {
    if !can("whatever_fails_nothing_is_lost") {
        return;
    }
    let rounds = number("DRAY_FAILOVER_ROUNDS", 1);
    let mut scene = Scene::new();
    let mut reports: BTreeMap<Fault, Report> = BTreeMap::new();
    for round in 0..rounds {
        for fault in Fault::ALL {
            let took = scene.round(fault, round);
            println!("round {round}: {fault}: {took:?}");
            reports.entry(fault).or_default().add(took);
        }
    }
    for (fault, report) in &reports {
        println!("{fault}: {report}");
    }
    if let Some(path) = std::env::var_os("DRAY_FAILOVER_OUT") {
        std::fs::write(path, report::json(&reports)).unwrap();
    }
    for (fault, report) in &reports {
        // One round on a busy machine says little of how long it takes.
        let allowed = if rounds > 1 { fault.allowed() } else { 3 * fault.allowed() };
        assert!(report.worst() <= allowed, "{fault}: {report}, {allowed:?} allowed");
    }
}
