//! What is lost with a node, and what is not.

use dray_core::Setup;
use dray_wire::messages::*;
use dray_wire::{Class, Epoch, List, Message, Reason, Right, Status, Step, Verb};

use crate::parties::*;

const RELEASE: (Class, Verb) = (Class::INTERACTIVE, Verb::RELEASE);

fn renew(all: &mut Parties, node: u32) {
    all.ask(node, Renew { epoch: Epoch(1), ..Renew::default() });
}

#[test]
fn nobody_punches_a_file_that_a_silent_node_may_be_reading() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (first, _) = all.node("a", 1);
    all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    assert_eq!(all.orders(first).len(), 1);
    let (second, _) = all.node("b", 1);
    all.core.disconnected(all.now, first);
    all.pump();
    all.settle(&[second]);
    assert_eq!(all.outcomes(client).len(), 1, "archived by the other");
    all.submit(client, session, RELEASE, vec![item(1, 1)]);
    assert!(all.orders(second).is_empty());
    let token = all.token(client, session);
    let alone = RequestRight {
        session,
        token,
        handle: handle(1),
        right: Right::EXCL,
        ..RequestRight::default()
    };
    assert_eq!(all.refused(client, alone), Reason::RIGHT_REFUSED);
    all.sleep(2_000 * MS);
    renew(&mut all, second);
    assert!(all.orders(second).is_empty());
    // Now it surely acts no more.
    all.sleep(1_400 * MS);
    assert_eq!(all.settle(&[second])[&second].len(), 1);
    assert_eq!(all.core.holdings().rights, 0);
}

#[test]
fn what_was_cancelled_does_not_begin_again_elsewhere() {
    for split in [false, true] {
        let mut all = Parties::with(Setup { split_bytes: 8 << 20, ..Setup::default() });
        let client = all.client();
        let session = all.session(client);
        let (first, _) = all.node("a", 1);
        let size = if split { 9 << 20 } else { 1 };
        let ids = all.submit(client, session, RESTORE, vec![item(1, size)]);
        assert_eq!(all.orders(first).len(), 1);
        all.ask(client, Cancel { session, requests: List(ids.clone()) });
        all.core.disconnected(all.now, first);
        all.pump();
        let (second, _) = all.node("b", 1);
        all.sleep(2_000 * MS);
        renew(&mut all, second);
        all.sleep(2_000 * MS);
        assert!(all.orders(second).is_empty());
        assert_eq!(all.info(client, ids[0]).status, Status::CANCELLED);
    }
}

#[test]
fn nodes_are_told_to_leave_the_parts_of_a_cancelled_file() {
    let setup = Setup { split_bytes: 8 << 20, part_bytes: 1 << 20, ..Setup::default() };
    let mut all = Parties::with(setup);
    let client = all.client();
    let session = all.session(client);
    let nodes = [all.node("a", 1).0, all.node("b", 1).0];
    let ids = all.submit(client, session, ARCHIVE, vec![item(1, 8 << 20)]);
    for node in nodes {
        for begin in all.orders(node) {
            all.finish(node, &begin, Status::DONE);
        }
    }
    let parts: usize = nodes.into_iter().map(|node| all.orders(node).len()).sum();
    assert!(parts > 1);
    all.ask(client, Cancel { session, requests: List(ids) });
    let inboxes = nodes.iter().flat_map(|node| &all.inbox[node]);
    let told = inboxes.filter(|(_, it)| matches!(it, Message::CancelOrder(_)));
    assert_eq!(told.count(), parts);
}

#[test]
fn a_part_that_no_node_can_do_fails_the_file_in_the_end() {
    let setup = Setup { split_bytes: 8 << 20, part_bytes: 4 << 20, ..Setup::default() };
    let mut all = Parties::with(setup);
    let client = all.client();
    let session = all.session(client);
    let nodes = [all.node("a", 1).0, all.node("b", 1).0];
    let ids = all.submit(client, session, ARCHIVE, vec![item(1, 8 << 20)]);
    let mut parts = 0;
    loop {
        let orders: Vec<(u32, Order)> = nodes
            .into_iter()
            .flat_map(|node| all.orders(node).into_iter().map(move |order| (node, order)))
            .collect();
        if orders.is_empty() {
            break;
        }
        for (node, order) in orders {
            if order.step != Step::PART {
                all.finish(node, &order, Status::DONE);
                continue;
            }
            parts += 1;
            assert!(parts < 100, "for ever");
            let (epoch, order, reason) = (order.epoch, order.order, Reason::BUSY);
            all.tell(node, OrderRefused { epoch, order, reason, ..OrderRefused::default() });
        }
    }
    assert!(parts > 2, "another node might have done it");
    let info = all.info(client, ids[0]);
    assert_eq!((info.status, info.reason), (Status::FAILED, Reason::BUSY));
}

#[test]
fn a_session_that_is_assumed_keeps_its_requests() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    let ids = all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    let order = all.orders(node).remove(0);
    let assume = CreateSession { assume: session, ..CreateSession::default() };
    let Message::SessionCreated(it) = all.ask(client, assume) else { panic!() };
    // The node had not begun when the session was withdrawn.
    let (epoch, order, reason) = (order.epoch, order.order, Reason::NO_SESSION);
    all.tell(node, OrderRefused { epoch, order, reason, ..OrderRefused::default() });
    let again = all.orders(node).remove(0);
    assert_eq!(again.session, it.session);
    all.finish(node, &again, Status::DONE);
    assert_eq!(all.info(client, ids[0]).status, Status::DONE);
}

#[test]
fn who_is_closed_is_not_heard() {
    let mut all = Parties::new();
    let client = all.client();
    all.core.handle(all.now, client, 0, Ping::default().into());
    all.core.handle(all.now, client, 1 << 40, CreateSession::default().into());
    all.core.malformed(all.now, client, 5, "late", false);
    all.pump();
    let told: Vec<_> = all.inbox[&client].iter().collect();
    assert!(matches!(told.as_slice(), [(0, Message::Refused(_))]), "{told:?}");
}
