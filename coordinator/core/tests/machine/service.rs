//! The order of service, shares, limits; and the memory of a long queue.

use std::collections::BTreeMap;

use dray_wire::messages::*;
use dray_wire::{Class, List, Message, SessionId, Status, Verb};

use crate::parties::*;

#[test]
fn a_restore_overtakes_a_flood_of_archives() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    for chunk in 0..100 {
        let items = (0..1000).map(|it| item(chunk * 1000 + it + 1, 1000)).collect();
        all.submit(client, session, ARCHIVE, items);
    }
    all.orders(node);
    all.submit(client, session, RESTORE, vec![item(1 << 40, 1)]);
    let orders = all.orders(node);
    assert_eq!((orders.len(), orders[0].verb), (1, Verb::RESTORE));
}

fn served(shares: [u32; 2]) -> f64 {
    let mut all = Parties::new();
    let client = all.client();
    let sessions = [all.session(client), all.session(client)];
    for (session, share) in sessions.iter().zip(shares) {
        all.ask(client, SetShare { session: *session, share, ..SetShare::default() });
    }
    // The second begins when the first has a long queue already.
    for (number, session) in sessions.iter().enumerate() {
        for chunk in 0..30 {
            let first = (number as u64) << 40 | (chunk * 2000);
            let items = (0..2000).map(|it| item(first + it + 1, 50_000)).collect();
            all.submit(client, *session, ARCHIVE, items);
        }
    }
    let (node, _) = all.node("a", 1);
    let mut bytes: BTreeMap<SessionId, u64> = BTreeMap::new();
    for _ in 0..40 {
        let order = match all.orders(node) {
            orders if orders.is_empty() => break,
            orders => orders,
        };
        for order in order {
            let moved: u64 = order.items.0.iter().map(|it| it.size).sum();
            *bytes.entry(order.session).or_default() += moved;
            all.finish(node, &order, Status::DONE);
        }
        if all.core.open_requests() < 60_000 {
            break;
        }
    }
    bytes[&sessions[0]] as f64 / bytes[&sessions[1]] as f64
}

#[test]
fn equal_shares_get_equal_service_and_others_their_part() {
    let equal = served([100, 100]);
    assert!((0.9..=1.1).contains(&equal), "{equal}");
    let double = served([200, 100]);
    assert!((1.8..=2.2).contains(&double), "{double}");
}

#[test]
fn a_limit_holds_and_is_lifted_while_running() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let (node, _) = all.node("a", 1);
    let limit =
        SetLimit { scope: SESSION, session, bytes_per_second: 10 << 20, ..SetLimit::default() };
    all.ask(client, limit.clone());
    let items = (1..=1000).map(|it| item(it << 20, 1 << 20)).collect();
    all.submit(client, session, ARCHIVE, items);
    let mut moved = 0_u64;
    for _ in 0..100 {
        for order in all.orders(node) {
            moved += order.items.0.iter().map(|it| it.size).sum::<u64>();
            all.finish(node, &order, Status::DONE);
        }
        all.ask(node, Renew { epoch: dray_wire::Epoch(1), ..Renew::default() });
        all.sleep(100 * MS);
    }
    // Ten seconds and the first one's worth.
    assert!(((90 << 20)..=(125 << 20)).contains(&moved), "{}", moved >> 20);
    all.ask(client, SetLimit { bytes_per_second: 0, ..limit });
    all.settle(&[node]);
    assert_eq!(all.core.open_requests(), 0);
}

#[test]
fn who_has_waited_for_a_deadline_is_served_sooner() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let submit = |class, inode, deadline_ms| Submit {
        session,
        class,
        verb: Verb::ARCHIVE,
        deadline_ms,
        items: List(vec![item(inode, 1)]),
        ..Submit::default()
    };
    let late = submit(Class::BACKGROUND, 1, 10);
    let Message::Accepted(accepted) = all.ask(client, late) else { panic!() };
    let other = submit(Class::BACKGROUND, 2, 0);
    all.ask(client, other);
    all.sleep(11 * MS);
    assert_eq!(all.info(client, accepted.requests.0[0]).class, Class::ARCHIVE);
    all.sleep(100 * MS);
    // Never among the blocked readers.
    assert_eq!(all.info(client, accepted.requests.0[0]).class, Class::INTERACTIVE);
}

#[test]
fn tenants_of_a_session_take_turns() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    for tenant in [1, 2] {
        let first = u64::from(tenant) << 40;
        for chunk in 0..4 {
            let items = (0..4000).map(|it| item(first + chunk * 4000 + it + 1, 1000)).collect();
            let submit = Submit {
                session,
                tenant,
                class: Class::ARCHIVE,
                verb: Verb::ARCHIVE,
                items: List(items),
                ..Submit::default()
            };
            all.ask(client, submit);
        }
    }
    let (node, _) = all.node("a", 1);
    let orders = all.orders(node);
    let of =
        |tenant: u64| orders.iter().filter(|it| it.items.0[0].handle.inode >> 40 == tenant).count();
    let half = dray_core::limits::WINDOW_ORDERS as usize / 2;
    assert_eq!((of(1), of(2)), (half, half));
}

#[test]
fn positions_and_times_are_told() {
    let mut all = Parties::new();
    let client = all.client();
    let session = all.session(client);
    let first = all.submit(client, session, ARCHIVE, (1..=100).map(|it| item(it, 1)).collect());
    let last = all.submit(client, session, ARCHIVE, vec![item(1000, 1)]);
    assert_eq!(all.info(client, first[0]).position, 0);
    assert_eq!(all.info(client, last[0]).position, 100);
    all.submit(client, session, RESTORE, vec![item(2000, 1)]);
    assert_eq!(all.info(client, last[0]).position, 101);
}
