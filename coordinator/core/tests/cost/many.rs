//! Many nodes.

use std::time::Instant;

use dray_wire::Role;
use dray_wire::messages::*;

use super::Bench;

#[test]
fn a_message_costs_little_among_a_thousand_nodes() {
    let mut bench = Bench::new();
    for number in 0..1000 {
        let node = bench.connect(Role::NODE, &format!("n{number}"));
        let file_systems = dray_wire::List(vec![[7; 16]]);
        bench.ask(node, Join { cores: 16, file_systems, ..Join::default() });
    }
    let each = |bench: &mut Bench| {
        let begun = Instant::now();
        for _ in 0..1000 {
            bench.ask(bench.client, Ping::default());
        }
        begun.elapsed() / 1000
    };
    let idle = each(&mut bench);
    bench.fill(20);
    let busy = each(&mut bench);
    println!("a message among 1,000 nodes: {idle:?} idle, {busy:?} with orders under way");
    assert!(busy.as_micros() < 500, "{busy:?}");
}
