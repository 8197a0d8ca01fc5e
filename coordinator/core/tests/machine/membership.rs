//! Nodes come and go.

use dray_wire::messages::*;
use dray_wire::{Epoch, Message, Reason, Role, Status, Verb};

use crate::parties::*;

#[test]
fn the_work_of_a_silent_node_goes_to_another() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (first, _) = all.node("a", 1);
    all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    all.submit(client, session, RESTORE, vec![item(2, 1)]);
    assert_eq!(all.orders(first).len(), 2);
    let (second, _) = all.node("b", 1);
    all.core.disconnected(all.now, first);
    all.pump();
    // An archive at once; a restore only when the first surely writes no more.
    let orders = all.orders(second);
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].verb, Verb::ARCHIVE);
    all.finish(second, &orders[0], Status::DONE);
    let renew = Renew { epoch: Epoch(1), ..Renew::default() };
    all.sleep(2_000 * MS);
    all.ask(second, renew);
    assert!(all.orders(second).is_empty());
    all.sleep(1_400 * MS);
    let orders = all.orders(second);
    assert_eq!(orders[0].verb, Verb::RESTORE);
    all.finish(second, &orders[0], Status::DONE);
    assert_eq!(all.outcomes(client).len(), 2);
}

#[test]
fn a_node_that_renews_stays() {
    let mut all = Parties::new();
    let (node, id) = all.node("a", 1);
    for _ in 0..20 {
        all.sleep(1_000 * MS);
        let renew = Renew { epoch: Epoch(1), sent_ns: 5, ..Renew::default() };
        let Message::Renewed(it) = all.ask(node, renew) else { panic!() };
        assert_eq!(it.sent_ns, 5);
    }
    let client = all.client();
    let Message::Nodes(nodes) = all.ask(client, ListNodes::default()) else { panic!() };
    assert_eq!(nodes.nodes.0[0].node, id);
    all.sleep(4_000 * MS);
    assert!(all.closed.contains(&node));
    let Message::Nodes(nodes) = all.ask(client, ListNodes::default()) else { panic!() };
    assert!(nodes.nodes.0.is_empty());
}

#[test]
fn a_name_is_one_node_and_a_client_is_none() {
    let mut all = Parties::new();
    let (first, _) = all.node("a", 1);
    let second = all.connect(Role::NODE, "a");
    assert_eq!(all.refused(second, Join::default()), Reason::CONFLICT);
    all.core.disconnected(all.now, first);
    assert!(matches!(all.ask(second, Join::default()), Message::Joined(_)));
    let client = all.client();
    assert_eq!(all.refused(client, Join::default()), Reason::NOT_ALLOWED);
    assert_eq!(all.refused(client, OrderDone::default()), Reason::NOT_ALLOWED);
}

#[test]
fn who_breaks_the_rules_is_closed() {
    let mut all = Parties::new();
    let client = all.client();
    all.core.handle(all.now, client, 500, Ping::default().into());
    all.core.handle(all.now, client, 500, Ping::default().into());
    all.pump();
    assert!(all.closed.contains(&client));
    // More without a reply than there are credits.
    let client = all.client();
    let session = all.session(client);
    for _ in 0..40 {
        all.tell(client, GetEvents { session, limit: 1, wait_ms: 60_000 });
    }
    assert!(all.closed.contains(&client));
    // Hello counts, too.
    let late = all.core.connected(all.now, dray_core::Peer::Same).unwrap();
    let hello = Hello { version_from: 1, version_to: 1, role: Role::CLIENT, ..Hello::default() };
    all.core.handle(all.now, late, 5, hello.into());
    all.core.handle(all.now, late, 3, Ping::default().into());
    all.pump();
    assert!(all.closed.contains(&late));
    // Hello comes first.
    let rude = all.core.connected(all.now, dray_core::Peer::Same).unwrap();
    all.tell(rude, Ping::default());
    assert!(all.closed.contains(&rude));
}

#[test]
fn a_node_that_refuses_for_its_own_reasons_is_passed_over() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    for reason in [Reason::OLD_EPOCH, Reason::BUSY] {
        let order = all.orders(node).remove(0);
        let refused = OrderRefused {
            epoch: order.epoch,
            order: order.order,
            reason,
            ..OrderRefused::default()
        };
        all.tell(node, refused);
    }
    let order = all.orders(node).remove(0);
    let refused = OrderRefused {
        epoch: order.epoch,
        order: order.order,
        reason: Reason::NO_RIGHT,
        ..OrderRefused::default()
    };
    all.tell(node, refused);
    let outcomes = all.outcomes(client);
    assert_eq!((outcomes[0].status, outcomes[0].reason), (Status::FAILED, Reason::NO_RIGHT));
}

#[test]
fn a_node_whose_lease_has_ended_gets_nothing_until_it_is_renewed() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    for _ in 0..3 {
        let order = all.orders(node).remove(0);
        let refused = OrderRefused {
            epoch: order.epoch,
            order: order.order,
            reason: Reason::LEASE_ENDED,
            ..OrderRefused::default()
        };
        all.tell(node, refused);
        all.sleep(10 * MS);
        assert!(all.orders(node).is_empty());
        all.tell(node, Renew { epoch: order.epoch, ..Renew::default() });
    }
    assert!(all.outcomes(client).is_empty());
}

#[test]
fn a_new_coordinator_lets_old_leases_end_first() {
    let setup = dray_core::Setup { grace_ns: 1_000 * MS, ..dray_core::Setup::default() };
    let mut all = Parties::with(setup);
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    all.submit(client, session, RESTORE, vec![item(1, 1)]);
    all.sleep(900 * MS);
    assert!(all.orders(node).is_empty());
    all.sleep(200 * MS);
    assert_eq!(all.orders(node).len(), 1);
}
