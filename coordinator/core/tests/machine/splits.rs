//! Large files are moved by many.

use std::collections::BTreeSet;

use dray_core::Setup;
use dray_wire::messages::*;
use dray_wire::{List, Reason, Status, Step};

use crate::parties::*;

fn setup() -> Setup {
    Setup { split_bytes: 8 << 20, part_bytes: 1 << 20, ..Setup::default() }
}

/// A client whose file two nodes are to move in parts, which has begun.
fn begun() -> (Parties, u32, Vec<u32>) {
    let mut all = Parties::with(setup());
    let client = all.client();
    let session = all.session(client);
    let nodes: Vec<u32> = ["a", "b"].iter().map(|name| all.node(name, 1).0).collect();
    all.submit(client, session, ARCHIVE, vec![item(1, 8 << 20)]);
    // Begin, wherever it went.
    for node in &nodes {
        for order in all.orders(*node) {
            all.finish(*node, &order, Status::DONE);
        }
    }
    (all, client, nodes)
}

#[test]
fn every_core_of_every_node_takes_part() {
    let mut all = Parties::with(setup());
    let client = all.client();
    let session = all.session(client);
    let nodes: Vec<u32> = ["a", "b", "c"].iter().map(|name| all.node(name, 2).0).collect();
    let size = (32 << 20) + 5;
    all.submit(client, session, ARCHIVE, vec![item(1, size)]);
    let orders = all.settle(&nodes);
    let every: Vec<&Order> = orders.values().flatten().collect();
    let of_step = |step| every.iter().filter(move |it| it.step == step);
    assert_eq!(of_step(Step::BEGIN).count(), 1);
    assert_eq!(of_step(Step::FINISH).count(), 1);
    let mut parts: Vec<_> =
        of_step(Step::PART).map(|it| (it.items.0[0].offset, it.items.0[0].length)).collect();
    parts.sort_unstable();
    assert_eq!(parts.len(), 33);
    assert!(parts.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0));
    assert_eq!(parts.iter().map(|part| part.1).sum::<u64>(), size);
    let part = of_step(Step::PART).next().unwrap();
    assert_eq!(part.items.0[0].receipt.as_slice(), [Step::BEGIN.0; 40]);
    let finish = of_step(Step::FINISH).next().unwrap();
    assert_eq!(finish.items.0[0].receipt.as_slice().len(), 34 * 44);
    let cores: BTreeSet<_> = orders
        .iter()
        .flat_map(|(node, orders)| orders.iter().map(move |it| (node, it)))
        .filter(|(_, it)| it.step == Step::PART)
        .map(|(node, it)| (*node, it.core))
        .collect();
    assert_eq!(cores.len(), 6);
    let outcomes = all.outcomes(client);
    assert_eq!((outcomes.len(), outcomes[0].bytes), (1, size));
}

#[test]
fn parts_of_a_node_that_is_gone_are_done_elsewhere() {
    let (mut all, client, nodes) = begun();
    let lost = all.orders(nodes[0]);
    assert!(!lost.is_empty());
    all.core.disconnected(all.now, nodes[0]);
    all.pump();
    all.settle(&nodes[1..]);
    let outcomes = all.outcomes(client);
    assert_eq!((outcomes.len(), outcomes[0].status), (1, Status::DONE));
    assert_eq!(outcomes[0].bytes, 8 << 20);
}

#[test]
fn a_part_that_fails_fails_the_file_and_a_cancel_stops_it() {
    for cancel in [false, true] {
        let mut all = Parties::with(setup());
        let client = all.client();
        let session = all.session(client);
        let nodes = [all.node("a", 1).0, all.node("b", 1).0];
        let ids = all.submit(client, session, ARCHIVE, vec![item(1, 8 << 20)]);
        for node in nodes {
            for begin in all.orders(node) {
                all.finish(node, &begin, Status::DONE);
            }
        }
        let parts: Vec<(u32, Order)> = nodes
            .into_iter()
            .flat_map(|node| all.orders(node).into_iter().map(move |part| (node, part)))
            .collect();
        assert_eq!(parts.len(), 4);
        if cancel {
            all.ask(client, Cancel { session, requests: List(ids.clone()) });
        } else {
            all.finish(parts[0].0, &parts[0].1, Status::FAILED);
        }
        assert!(all.outcomes(client).is_empty(), "a part is still under way");
        for (node, part) in &parts {
            all.finish(*node, part, Status::DONE);
        }
        assert!(nodes.iter().all(|node| all.orders(*node).is_empty()));
        let outcomes = all.outcomes(client);
        let status = if cancel { Status::CANCELLED } else { Status::FAILED };
        assert_eq!((outcomes.len(), outcomes[0].status), (1, status));
        assert_eq!(all.core.open_requests(), 0);
    }
}

#[test]
fn a_node_whose_lease_has_ended_gets_no_parts() {
    let (mut all, client, nodes) = begun();
    for order in all.orders(nodes[0]) {
        let refused = OrderRefused {
            epoch: order.epoch,
            order: order.order,
            reason: Reason::LEASE_ENDED,
            ..OrderRefused::default()
        };
        all.tell(nodes[0], refused);
    }
    assert!(all.orders(nodes[0]).is_empty());
    all.settle(&nodes[1..]);
    assert_eq!(all.outcomes(client)[0].status, Status::DONE);
}
