//! Whose turn it is, when some cannot have theirs.

use dray_wire::messages::*;
use dray_wire::{Class, FileHandle, List, Message, RequestId, SessionId, Status, Verb};

use crate::parties::*;

#[test]
fn many_cancelled_sessions_hide_nobody() {
    let mut all = Parties::new();
    let client = all.client();
    let sessions: Vec<SessionId> = (0..60).map(|_| all.session(client)).collect();
    let (node, _) = all.node("a", 1);
    // Fill the window, with files that are each an order.
    let window = dray_core::limits::WINDOW_ORDERS;
    let large = (1..=u64::from(window)).map(|it| item(it << 20, 200 << 20)).collect();
    all.submit(client, sessions[0], ARCHIVE, large);
    let under_way = all.orders(node);
    assert_eq!(under_way.len(), window as usize);
    let mut ids: Vec<Vec<RequestId>> = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        ids.push(all.submit(client, *session, ARCHIVE, vec![item(at as u64 + 1, 1)]));
    }
    let last = ids.pop().unwrap();
    for (session, requests) in sessions.iter().zip(ids) {
        all.ask(client, Cancel { session: *session, requests: List(requests) });
    }
    all.finish(node, &under_way[0], Status::DONE);
    assert_eq!(all.orders(node).len(), 1, "it is the turn of the last");
    assert_eq!(all.info(client, last[0]).status, Status::MOVING);
}

#[test]
fn a_limited_file_system_does_not_hold_up_another() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let node = all.connect(dray_wire::Role::NODE, "a");
    let file_systems = List(vec![FS, [8; 16]]);
    all.ask(node, Join { cores: 4, file_systems, ..Join::default() });
    let limit = SetLimit {
        scope: FILE_SYSTEM,
        file_system: FS,
        bytes_per_second: 1,
        ..SetLimit::default()
    };
    all.ask(client, limit);
    // The first overdraws the limit.
    all.submit(client, session, ARCHIVE, vec![item(1, 1)]);
    assert_eq!(all.orders(node).len(), 1);
    for (tenant, file_system) in [(1, FS), (2, [8; 16])] {
        let handle = FileHandle { file_system, inode: 9, generation: 1 };
        let items = List(vec![Item { handle, ..item(1, 1) }]);
        let (class, verb) = (Class::ARCHIVE, Verb::ARCHIVE);
        all.ask(client, Submit { session, tenant, class, verb, items, ..Submit::default() });
    }
    let orders = all.orders(node);
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].items.0[0].handle.file_system, [8; 16]);
    // One timer, however often it is asked when the limit ends.
    for _ in 0..50 {
        all.now += MS;
        all.ask(client, Ping::default());
    }
    assert_eq!(all.core.holdings().timers, 2);
}

#[test]
fn the_deadline_of_one_that_follows_counts() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let leader = all.submit(client, session, (Class::BACKGROUND, Verb::ARCHIVE), vec![item(1, 1)]);
    let follower = Submit {
        session,
        class: Class::BACKGROUND,
        verb: Verb::ARCHIVE,
        deadline_ms: 10,
        items: List(vec![item(1, 1)]),
        ..Submit::default()
    };
    all.ask(client, follower);
    all.sleep(11 * MS);
    assert_eq!(all.info(client, leader[0]).class, Class::ARCHIVE);
    all.sleep(10 * MS);
    assert_eq!(all.info(client, leader[0]).class, Class::INTERACTIVE);
}

#[test]
fn what_has_ended_leaves_no_timer() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let submit = Submit {
        session,
        class: Class::BACKGROUND,
        verb: Verb::ARCHIVE,
        deadline_ms: u32::MAX,
        items: List((1..=10).map(|it| item(it, 1)).collect()),
        ..Submit::default()
    };
    let Message::Accepted(it) = all.ask(client, submit) else { panic!() };
    all.ask(client, Cancel { session, requests: it.requests });
    let waits = all.tell(client, GetEvents { session, limit: 1, wait_ms: u32::MAX });
    all.ask(client, SendMessage { session, ..SendMessage::default() });
    assert!(all.reply(client, waits).is_some());
    assert_eq!(all.core.holdings().timers, 0);
}

#[test]
fn a_session_inherits_nothing_from_the_one_before_in_its_place() {
    let mut all = Parties::new();
    let client = all.client();
    let first = all.session(client);
    let limit =
        SetLimit { scope: SESSION, session: first, bytes_per_second: 1, ..SetLimit::default() };
    all.ask(client, limit);
    let ids = all.submit(client, first, ARCHIVE, vec![item(1, 1)]);
    all.ask(client, Cancel { session: first, requests: List(ids) });
    assert!(matches!(all.ask(client, DestroySession { session: first }), Message::Done(_)));
    let second = all.session(client);
    let ask = ListRequests { session: second, limit: 10, ..ListRequests::default() };
    let Message::Requests(page) = all.ask(client, ask) else { panic!() };
    assert!(page.requests.0.is_empty());
    let (node, _) = all.node("a", 1);
    for inode in 1..=5 {
        all.submit(client, second, ARCHIVE, vec![item(inode, 1)]);
        assert_eq!(all.settle(&[node]).len(), 1, "no limit");
    }
}

#[test]
fn a_size_that_no_file_has_is_refused() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (class, verb) = (Class::ARCHIVE, Verb::ARCHIVE);
    let submit = |size| {
        let items = List(vec![item(1, size)]);
        Submit { session, class, verb, items, ..Submit::default() }
    };
    assert_eq!(all.refused(client, submit(u64::MAX)), dray_wire::Reason::UNKNOWN_VALUE);
    // The largest is no trouble.
    let (node, _) = all.node("a", 1);
    all.ask(client, submit(i64::MAX as u64));
    all.settle(&[node]);
    assert_eq!(all.core.open_requests(), 0);
}

#[test]
fn many_limited_sessions_do_not_starve_another() {
    let mut all = Parties::new();
    let client = all.client();
    let (node, _) = all.node("a", 16);
    for inode in 1..=40 {
        let session = all.session(client);
        let limit = SetLimit { scope: SESSION, session, bytes_per_second: 1, ..Default::default() };
        all.ask(client, limit);
        // The first overdraws the limit, the second waits.
        for inode in [inode, inode + 100] {
            all.submit(client, session, ARCHIVE, vec![item(inode, 1)]);
            all.settle(&[node]);
        }
    }
    assert_eq!(all.core.open_requests(), 40);
    let session = all.session(client);
    all.submit(client, session, ARCHIVE, vec![item(1000, 1)]);
    assert_eq!(all.orders(node).len(), 1);
}
