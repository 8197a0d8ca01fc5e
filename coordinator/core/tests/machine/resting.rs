//! Restores that found their file in somebody else's hands.

use dray_wire::messages::*;
use dray_wire::{Class, List, Reason, Status, Verb};

use crate::parties::*;

/// The node could not begin.
fn held(all: &mut Parties, node: u32, order: &Order) {
    let failed = ItemResult { status: Status::FAILED, reason: Reason::LATER, ..Default::default() };
    let (epoch, results) = (order.epoch, List(vec![failed]));
    all.tell(node, OrderDone { epoch, order: order.order, results });
}

fn scene(verb: Verb, size: u64) -> (Parties, u32, u32, Vec<dray_wire::RequestId>) {
    let setup = dray_core::Setup { split_bytes: 8 << 20, ..Default::default() };
    let mut all = Parties::with(setup);
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    // A file is split only where there are two.
    all.node("b", 1);
    let ids = all.submit(client, session, (Class::INTERACTIVE, verb), vec![item(1, size)]);
    (all, client, node, ids)
}

/// The next order that any of the two nodes has got.
fn next(all: &mut Parties, node: u32) -> Option<(u32, Order)> {
    [node, node + 1].into_iter().find_map(|it| Some((it, all.orders(it).pop()?)))
}

//= docs/wire.md#w-59
#[test]
fn a_restore_waits_until_the_other_is_done() {
    for size in [1, 9 << 20] {
        let (mut all, client, node, ids) = scene(Verb::RESTORE, size);
        for pause in [20, 40, 80] {
            let (who, order) = next(&mut all, node).expect("an order");
            held(&mut all, who, &order);
            assert_eq!(all.info(client, ids[0]).status, Status::QUEUED);
            all.sleep((pause - 1) * MS);
            assert!(next(&mut all, node).is_none(), "too soon");
            all.sleep(MS);
        }
        let nodes = [node, node + 1];
        all.settle(&nodes);
        assert_eq!(all.outcomes(client)[0].status, Status::DONE);
        assert_eq!(all.core.open_requests(), 0);
    }
}

#[test]
fn a_restore_is_given_up_in_the_end() {
    let (mut all, client, node, ids) = scene(Verb::RESTORE, 1);
    let began = all.now;
    let mut orders = 0;
    while all.info(client, ids[0]).status != Status::FAILED {
        if let Some((who, order)) = next(&mut all, node) {
            orders += 1;
            held(&mut all, who, &order);
        }
        keep_alive(&mut all, node);
        all.sleep(10 * MS);
    }
    assert_eq!(orders, 35);
    let passed = (all.now - began) / MS;
    assert!((55_000..60_000).contains(&passed), "{passed} ms");
    assert_eq!(all.info(client, ids[0]).reason, Reason::LATER);
}

fn keep_alive(all: &mut Parties, node: u32) {
    for node in [node, node + 1] {
        let epoch = dray_wire::Epoch(1);
        all.ask(node, Renew { epoch, ..Renew::default() });
    }
}

#[test]
fn who_rests_can_be_cancelled_and_followed() {
    let (mut all, client, node, ids) = scene(Verb::RESTORE, 1);
    let (who, order) = next(&mut all, node).expect("an order");
    held(&mut all, who, &order);
    let session = order.session;
    let more = all.submit(client, session, RESTORE, vec![item(1, 1)]);
    assert!(next(&mut all, node).is_none(), "it follows the one that rests");
    all.ask(client, Cancel { session, requests: List(ids.clone()) });
    assert_eq!(all.info(client, ids[0]).status, Status::CANCELLED);
    let nodes = [node, node + 1];
    all.settle(&nodes);
    assert_eq!(all.info(client, more[0]).status, Status::DONE);
    // What was due then does nothing.
    all.sleep(100 * MS);
    assert!(next(&mut all, node).is_none());
}

#[test]
fn what_else_meets_a_file_in_use_fails_at_once() {
    for verb in [Verb::ARCHIVE, Verb::RELEASE, Verb::REMOVE] {
        let (mut all, client, node, ids) = scene(verb, 1);
        let (who, order) = next(&mut all, node).expect("an order");
        held(&mut all, who, &order);
        assert_eq!(all.info(client, ids[0]).reason, Reason::LATER);
    }
}
