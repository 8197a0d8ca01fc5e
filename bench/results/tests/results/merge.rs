//! Hosts merged: nothing is lost, seconds are aligned, each host's own is kept.

use std::time::{Duration, UNIX_EPOCH};

use dray_results::{Latencies, Results, Run, merge};

use crate::made_up::{Shape, phase, run};

fn host(name: &str, seed: u64, start: u64) -> Run {
    let shape = Shape { seed, start, seconds: 10, ..Shape::default() };
    run(name, vec![phase("step 1", shape), phase("step 2", Shape { start: start + 20, ..shape })])
}

fn merged(runs: &[Run]) -> Results {
    merge(runs.iter().cloned().map(Results::of_one).collect()).expect("the same phases")
}

#[test]
fn sums_are_exact() {
    let (one, other) = (host("n1", 1, 0), host("n2", 2, 3));
    let all = merged(&[one.clone(), other.clone()]);
    for at in 0..2 {
        let (sum, one, other) = (&all.run.phases[at], &one.phases[at], &other.phases[at]);
        let mut expected = Latencies::default();
        expected.add(&one.total.read.service);
        expected.add(&other.total.read.service);
        assert_eq!(sum.total.read.service.histogram(), expected.histogram());
        assert_eq!(sum.total.read.ios, one.total.read.ios + other.total.read.ios);
        assert_eq!(sum.runtime, Duration::from_secs(13));
        assert_eq!(sum.started, one.started);
        assert_eq!(sum.intervals.len(), 13);
        let reads = |second: usize| sum.intervals[second].directions.read.ios;
        let own = |phase: &dray_results::Phase, second: usize| {
            phase.intervals[second].directions.read.ios
        };
        assert_eq!(reads(0), own(one, 0));
        assert_eq!(reads(5), own(one, 5) + own(other, 2));
        assert_eq!(reads(12), own(other, 9));
        assert_eq!(sum.notes, ["n1: made up", "n2: made up"]);
    }
    assert_eq!(all.hosts.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(), ["n1", "n2"]);
}

#[test]
fn read_back_and_merged_again() {
    let (one, two, three) = (host("n1", 1, 0), host("n2", 2, 1), host("n3", 3, 2));
    let text = merged(&[one.clone(), two.clone()]).to_json(UNIX_EPOCH);
    crate::json::assert_valid(&text);
    let back = Results::from_json(&text).expect("what was written");
    assert_eq!(back.hosts.len(), 2);
    assert_eq!(back.hosts[1].phases.len(), 2);
    let again = merge(vec![back, Results::of_one(three.clone())]).expect("the same phases");
    let at_once = merged(&[one, two, three]);
    assert_eq!(again.to_json(UNIX_EPOCH), at_once.to_json(UNIX_EPOCH));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names = |list: &str| {
        let jobs = value[list].as_array().unwrap();
        jobs.iter().map(|job| job["hostname"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("jobs"), ["All clients", "All clients"]);
    assert_eq!(names("client_stats"), ["n1", "n1", "n2", "n2"]);
}

#[test]
fn half_a_second_apart_goes_to_the_nearer_second() {
    let mut other = host("n2", 2, 0);
    other.phases[0].started += Duration::from_millis(400);
    let all = merged(&[host("n1", 1, 0), other]);
    assert_eq!(all.run.phases[0].intervals.len(), 10);
    assert_eq!(all.run.phases[0].runtime, Duration::from_millis(10_400));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let refused = |runs: [Run; 2]| {
        merge(runs.map(Results::of_one).into()).expect_err("not to be merged").to_string()
    };
    assert!(refused([host("n1", 1, 0), host("n1", 2, 0)]).contains("more than one file"));
    let shorter = run("n2", vec![phase("step 1", Shape::default())]);
    assert!(refused([host("n1", 1, 0), shorter]).contains("only the same phases"));
    assert!(refused([host("n1", 1, 0), host("n2", 2, 500)]).contains("at no time under way"));
    assert!(merge(Vec::new()).is_err());
}

#[test]
fn options_that_differ_are_each_hosts_own() {
    let mut other = host("n2", 2, 0);
    other.phases[0].options.insert("bs".into(), "8192".into());
    let all = merged(&[host("n1", 1, 0), other]);
    assert_eq!(all.run.phases[0].options["bs"], "n1: 4096; n2: 8192");
    assert_eq!(all.run.phases[0].options["rw"], "randrw");
}
