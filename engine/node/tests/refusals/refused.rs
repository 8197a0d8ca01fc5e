//! Orders that a node may not do: each is refused with its reason, nothing is moved, and a good
//! order is done afterwards (W-60 to W-63, W-65).

use std::time::Duration;

use dray_wire::messages::{Order, OrderItem, Withdraw};
use dray_wire::{Epoch, Reason, Right, SessionId, Status, Token, Verb};

use crate::played::{Coordinator, EPOCH, SESSION};
use crate::site::{Site, content, released, with_node};

/// Longer than a test takes.
const LONG: u32 = 120_000;

const BYTES: usize = 100_000;

/// A file that has been released, and must stay so.
async fn prepare(site: &Site, coordinator: &mut Coordinator) -> OrderItem {
    let item = site.make("file", BYTES);
    released(coordinator, std::slice::from_ref(&item)).await;
    assert!(!site.is_here("file"));
    item
}

/// Nothing was moved by what was refused, and now it is by a good order.
async fn still_works(site: &Site, coordinator: &mut Coordinator, item: OrderItem) {
    assert!(!site.is_here("file"), "it was restored though that was refused");
    let results = coordinator.have_done(Verb::RESTORE, vec![item]).await;
    assert_eq!(results[0].status, Status::DONE, "{}", results[0].text);
    assert_eq!(std::fs::read(site.path("file")).unwrap(), content("file", BYTES));
}

#[test]
fn a_session_that_was_not_granted() {
    with_node(LONG, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        coordinator.grant(7, Right::EXCL, &[item.handle]).await;
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        let foreign = Order { session: SessionId(77), ..order };
        assert_eq!(coordinator.give(foreign).await, Err(Reason::NO_SESSION));
        // One that was, until it was withdrawn.
        let withdraw = Withdraw { epoch: EPOCH, session: SESSION, token: Token::NONE };
        coordinator.send(withdraw, 0).await;
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        assert_eq!(coordinator.give(order).await, Err(Reason::NO_SESSION));
        still_works(site, coordinator, item).await;
    });
}

#[test]
fn a_right_that_was_not_granted_or_is_too_weak() {
    with_node(LONG, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        let other = site.make("other", 10).handle;
        // No token at all, one for another file, a weaker right, a stronger one elsewhere.
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        assert_eq!(coordinator.give(order).await, Err(Reason::NO_RIGHT));
        let grants: [&[_]; 3] = [
            &[(Right::EXCL, other)],
            &[(Right::SHARED, item.handle)],
            &[(Right::SHARED, item.handle), (Right::EXCL, other)],
        ];
        for (token, grants) in (20..).zip(grants) {
            for (right, file) in grants {
                coordinator.grant(token, *right, &[*file]).await;
            }
            for verb in [Verb::RESTORE, Verb::RELEASE, Verb::REMOVE] {
                let order = coordinator.order(token, verb, vec![item.clone()]);
                assert_eq!(coordinator.give(order).await, Err(Reason::NO_RIGHT), "{verb}");
            }
        }
        // One file of an order without a right refuses all of it.
        coordinator.grant(30, Right::EXCL, &[item.handle]).await;
        let second = site.item("other");
        let order = coordinator.order(30, Verb::RESTORE, vec![item.clone(), second]);
        assert_eq!(coordinator.give(order).await, Err(Reason::NO_RIGHT));
        // A grant ends with its order.
        coordinator.grant(31, Right::SHARED, &[other]).await;
        for expected in [None, Some(Reason::NO_RIGHT)] {
            let item = site.item("other");
            let order = coordinator.order(31, Verb::ARCHIVE, vec![item]);
            assert_eq!(coordinator.give(order).await.err(), expected);
        }
        still_works(site, coordinator, item).await;
    });
}

#[test]
fn an_order_of_an_older_epoch() {
    with_node(LONG, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        coordinator.grant(7, Right::EXCL, &[item.handle]).await;
        for epoch in [0, EPOCH.0 - 1] {
            let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
            let old = Order { epoch: Epoch(epoch), ..order };
            assert_eq!(coordinator.give(old).await, Err(Reason::OLD_EPOCH));
        }
        // The grant was not that order's: it is good still.
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        let results = coordinator.give(order).await.unwrap();
        assert_eq!(results[0].status, Status::DONE);
        released(coordinator, std::slice::from_ref(&item)).await;
        still_works(site, coordinator, item).await;
    });
}

#[test]
fn an_order_after_the_lease_has_ended() {
    with_node(900, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        coordinator.renewing = false;
        coordinator.idle(Duration::from_millis(1500)).await;
        coordinator.grant(7, Right::EXCL, &[item.handle]).await;
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        assert_eq!(coordinator.give(order).await, Err(Reason::LEASE_ENDED));
        coordinator.renewing = true;
        coordinator.idle(Duration::from_millis(700)).await;
        still_works(site, coordinator, item).await;
    });
}

/// The lease counts from when the node asked, whatever time is repeated to it.
#[test]
fn a_lease_is_not_longer_than_it_was_given() {
    with_node(900, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        coordinator.lying = true;
        coordinator.idle(Duration::from_millis(700)).await;
        coordinator.renewing = false;
        coordinator.idle(Duration::from_millis(1500)).await;
        coordinator.grant(7, Right::EXCL, &[item.handle]).await;
        let order = coordinator.order(7, Verb::RESTORE, vec![item.clone()]);
        assert_eq!(coordinator.give(order).await, Err(Reason::LEASE_ENDED));
        (coordinator.renewing, coordinator.lying) = (true, false);
        coordinator.idle(Duration::from_millis(700)).await;
        still_works(site, coordinator, item).await;
    });
}

#[test]
fn a_verb_that_the_node_does_not_know() {
    with_node(LONG, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        let results = coordinator.have_done(Verb(99), vec![item.clone()]).await;
        assert_eq!((results[0].status, results[0].reason), (Status::FAILED, Reason::UNKNOWN_VALUE));
        still_works(site, coordinator, item).await;
    });
}

#[test]
fn an_order_without_items_is_done() {
    with_node(LONG, async |site, coordinator| {
        let item = prepare(site, coordinator).await;
        coordinator.grant(7, Right::EXCL, &[]).await;
        let order = coordinator.order(7, Verb::RESTORE, Vec::new());
        assert_eq!(coordinator.give(order).await, Ok(Vec::new()));
        still_works(site, coordinator, item).await;
    });
}
