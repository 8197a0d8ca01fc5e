//! Requests: one outcome each, whatever happens to them on the way.

use dray_wire::messages::*;
use dray_wire::{Class, List, Message, Reason, SessionId, Status, Verb};

use crate::parties::*;

#[test]
fn what_is_submitted_is_ordered_and_answered() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 2);
    let ids = all.submit(client, session, ARCHIVE, (1..=10).map(|it| item(it, 100)).collect());
    let orders = all.settle(&[node]);
    assert_eq!(orders[&node].len(), 1);
    assert_eq!(orders[&node][0].items.0.len(), 10);
    let outcomes = all.outcomes(client);
    assert_eq!(outcomes.len(), 10);
    assert!(outcomes.iter().all(|it| it.status == Status::DONE && it.bytes == 100));
    let mut answered: Vec<_> = outcomes.iter().map(|it| it.request).collect();
    answered.sort_unstable();
    let mut expected = ids.clone();
    expected.sort_unstable();
    assert_eq!(answered, expected);
    assert_eq!(all.info(client, ids[0]).status, Status::DONE);
}

#[test]
fn work_waits_for_a_node() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    all.submit(client, session, ARCHIVE, vec![item(1, 100), item(1 << 20, 100)]);
    let (node, _) = all.node("a", 1);
    all.settle(&[node]);
    assert_eq!(all.outcomes(client).len(), 2);
}

#[test]
fn the_same_twice_is_moved_once_and_answered_twice() {
    let mut all = Parties::new();
    let (first, second) = (all.client(), all.client());
    let session = all.session(first);
    all.submit(first, session, ARCHIVE, vec![item(1, 100)]);
    all.submit(second, session, ARCHIVE, vec![item(1, 100), item(1, 100)]);
    let (node, _) = all.node("a", 1);
    let orders = all.settle(&[node]);
    assert_eq!(orders[&node].iter().map(|it| it.items.0.len()).sum::<usize>(), 1);
    assert_eq!((all.outcomes(first).len(), all.outcomes(second).len()), (1, 2));
}

#[test]
fn one_file_is_moved_by_one_at_a_time() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    all.submit(client, session, ARCHIVE, vec![item(1, 100)]);
    let first = all.orders(node);
    // Under way already: not the same movement, since the file may have changed.
    let ids = all.submit(client, session, ARCHIVE, vec![item(1, 100), item(1, 100)]);
    all.submit(client, session, (Class::ARCHIVE, Verb::RELEASE), vec![item(1, 100)]);
    assert!(all.orders(node).is_empty());
    assert_eq!(all.info(client, ids[0]).status, Status::WAITING);
    all.finish(node, &first[0], Status::DONE);
    let second = all.orders(node);
    assert_eq!(second.iter().map(|it| it.items.0.len()).sum::<usize>(), 1);
    assert_eq!(second[0].verb, Verb::ARCHIVE);
    all.finish(node, &second[0], Status::NOTHING);
    all.settle(&[node]);
    let outcomes = all.outcomes(client);
    assert_eq!(outcomes.len(), 4);
    assert_eq!(outcomes.iter().filter(|it| it.status == Status::NOTHING).count(), 2);
}

#[test]
fn what_is_queued_is_cancelled_at_once() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let ids = all.submit(client, session, ARCHIVE, (1..=3).map(|it| item(it, 1)).collect());
    let again = all.submit(client, session, ARCHIVE, vec![item(2, 1)]);
    let cancel = Cancel { session, requests: List(vec![ids[1], ids[2]]) };
    match all.ask(client, cancel.clone()) {
        Message::Cancelled(it) => assert_eq!(it.statuses.0, [Status::CANCELLED; 2]),
        other => panic!("{other:?}"),
    }
    let (node, _) = all.node("a", 1);
    let orders = all.settle(&[node]);
    // The file that somebody else wants too is moved all the same.
    let moved: Vec<u64> =
        orders[&node].iter().flat_map(|it| &it.items.0).map(|it| it.handle.inode).collect();
    assert_eq!(moved.len(), 2);
    assert!(moved.contains(&1) && moved.contains(&2));
    assert_eq!(all.info(client, again[0]).status, Status::DONE);
    // Terminal is terminal.
    match all.ask(client, cancel) {
        Message::Cancelled(it) => assert_eq!(it.statuses.0, [Status::CANCELLED; 2]),
        other => panic!("{other:?}"),
    }
    assert_eq!(all.outcomes(client).len(), 4);
}

#[test]
fn what_is_moving_is_cancelled_by_the_node() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    let ids = all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    let orders = all.orders(node);
    all.ask(client, Cancel { session, requests: List(ids.clone()) });
    let (_, told) = all.inbox.get_mut(&node).unwrap().pop_front().unwrap();
    assert!(matches!(told, Message::CancelOrder(it) if it.items.0 == [0]));
    assert_eq!(all.info(client, ids[0]).status, Status::MOVING);
    all.finish(node, &orders[0], Status::CANCELLED);
    // A late answer changes nothing.
    all.finish(node, &orders[0], Status::DONE);
    assert_eq!(all.info(client, ids[0]).status, Status::CANCELLED);
    assert_eq!(all.outcomes(client).len(), 1);
}

#[test]
fn every_cancel_at_every_moment_leaves_one_outcome() {
    // Submit, order, wait behind, wait for a right: cancelled before each step.
    for moment in 0..6 {
        let mut all = Parties::new();
        let client = all.client();
        let session = all.session(client);
        let (node, _) = all.node("a", 1);
        let token = all.token(client, session);
        let mut ids = all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
        ids.extend(all.submit(client, session, ARCHIVE, vec![item(1, 1), item(2, 1)]));
        let right = RequestRight {
            session,
            token,
            handle: handle(3),
            right: dray_wire::Right::EXCL,
            ..RequestRight::default()
        };
        all.ask(client, right.clone());
        ids.extend(all.submit(client, session, RESTORE, vec![item(3, 1), item(3, 1)]));
        if let Some(id) = ids.get(moment) {
            all.ask(client, Cancel { session, requests: List(vec![*id]) });
        }
        all.settle(&[node]);
        let back = ReleaseRight { session, token, handle: handle(3) };
        all.ask(client, back);
        all.settle(&[node]);
        let mut outcomes = all.outcomes(client);
        outcomes.sort_by_key(|it| it.request);
        outcomes.dedup_by_key(|it| it.request);
        assert_eq!(outcomes.len(), 5, "cancelled {moment}: {outcomes:?}");
        assert!(outcomes.iter().all(|it| it.status.is_final()));
        assert_eq!(all.core.open_requests(), 0);
    }
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let submit = Submit {
        session,
        class: Class::ARCHIVE,
        verb: Verb::ARCHIVE,
        items: List(vec![item(1, 1)]),
        ..Submit::default()
    };
    let bad = Submit { session: SessionId(99), ..submit.clone() };
    assert_eq!(all.refused(client, bad), Reason::NO_SESSION);
    let bad = Submit { verb: Verb(77), ..submit.clone() };
    assert_eq!(all.refused(client, bad), Reason::UNKNOWN_VALUE);
    let bad = Submit { class: Class(9), ..submit.clone() };
    assert_eq!(all.refused(client, bad), Reason::UNKNOWN_VALUE);
    let strange = Item { kind: 9, ..item(1, 1) };
    let bad = Submit { items: List(vec![strange]), ..submit };
    assert_eq!(all.refused(client, bad), Reason::UNKNOWN_VALUE);
    let gone = ShowRequest { request: dray_wire::RequestId(5) };
    assert_eq!(all.refused(client, gone), Reason::NO_REQUEST);
}

#[test]
fn listing_is_paged() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    for chunk in 0..5 {
        let items = (0..1000).map(|it| item(chunk * 1000 + it + 1, 1)).collect();
        all.submit(client, session, ARCHIVE, items);
    }
    let (mut seen, mut after) = (0, 0);
    loop {
        let ask = ListRequests { session, after, limit: 300, ..ListRequests::default() };
        let Message::Requests(page) = all.ask(client, ask) else { panic!() };
        assert!(page.requests.0.len() <= 300);
        seen += page.requests.0.len();
        after = page.next;
        if after == 0 {
            break;
        }
    }
    assert_eq!(seen, 5000);
}
