//! What is granted, and for how long.

use dray_wire::messages::OrderItem;
use dray_wire::{List, Verb};

use super::*;

fn handle(inode: u64) -> FileHandle {
    FileHandle { inode, ..FileHandle::default() }
}

/// On file 5, under token 3 of session 1.
fn order(id: u64, verb: Verb) -> Order {
    let item = OrderItem { handle: handle(5), ..OrderItem::default() };
    Order {
        epoch: Epoch(2),
        order: OrderId(id),
        session: SessionId(1),
        token: Token(3),
        right: verb.right(),
        verb,
        items: List(vec![item]),
        ..Order::default()
    }
}

fn grant(right: Right, inode: u64) -> Grant {
    Grant {
        epoch: Epoch(2),
        session: SessionId(1),
        token: Token(3),
        right,
        handles: List(vec![handle(inode)]),
        ..Grant::default()
    }
}

fn own() -> Admission {
    let mut own = Admission::default();
    own.begin(Epoch(2));
    own
}

fn reason(admission: &mut Admission, order: &Order, lease: u64) -> Reason {
    admission.admit(order, lease).map_or_else(|it| it.reason, |()| Reason::NONE)
}

#[test]
fn each_thing_that_is_missing_is_named() {
    let restore = order(1, Verb::RESTORE);
    let mut own = own();
    assert_eq!(reason(&mut own, &restore, 1), Reason::NO_SESSION);
    own.grant(grant(Right::EXCL, 6));
    assert_eq!(reason(&mut own, &restore, 1), Reason::NO_RIGHT);
    own.grant(grant(Right::SHARED, 5));
    assert_eq!(reason(&mut own, &restore, 1), Reason::NO_RIGHT);
    own.grant(grant(Right::SHARED, 5));
    assert_eq!(reason(&mut own, &order(2, Verb::ARCHIVE), 1), Reason::NONE);
    own.grant(grant(Right::EXCL, 5));
    assert_eq!(reason(&mut own, &restore, 1), Reason::NONE);
    own.grant(grant(Right::EXCL, 5));
    assert_eq!(reason(&mut own, &restore, 0), Reason::LEASE_ENDED);
    own.begin(Epoch(3));
    assert_eq!(reason(&mut own, &restore, 1), Reason::OLD_EPOCH);
    // A late grant of the old coordinator changes nothing.
    own.grant(grant(Right::EXCL, 5));
    let new = Order { epoch: Epoch(3), ..restore };
    assert_eq!(reason(&mut own, &new, 1), Reason::NO_SESSION);
}

#[test]
fn a_right_is_on_a_file_and_not_on_all_of_the_token() {
    let mut own = own();
    own.grant(grant(Right::SHARED, 5));
    own.grant(grant(Right::EXCL, 6));
    assert_eq!(reason(&mut own, &order(1, Verb::RELEASE), 1), Reason::NO_RIGHT);
}

#[test]
fn a_grant_ends_with_its_orders() {
    let mut own = own();
    own.grant(grant(Right::EXCL, 5));
    own.grant(grant(Right::EXCL, 5));
    assert_eq!(reason(&mut own, &order(1, Verb::RESTORE), 1), Reason::NONE);
    assert_eq!(reason(&mut own, &order(2, Verb::RESTORE), 1), Reason::NONE);
    own.over(OrderId(1));
    own.over(OrderId(2));
    assert_eq!(reason(&mut own, &order(3, Verb::RESTORE), 1), Reason::NO_RIGHT);
    own.grant(grant(Right::EXCL, 5));
    own.withdraw(&Withdraw { epoch: Epoch(2), session: SessionId(1), token: Token::NONE });
    assert_eq!(reason(&mut own, &order(4, Verb::RESTORE), 1), Reason::NO_SESSION);
}

#[test]
fn what_is_over_takes_no_grant_of_another() {
    let mut own = own();
    own.grant(grant(Right::EXCL, 5));
    assert_eq!(reason(&mut own, &order(1, Verb::RESTORE), 1), Reason::NONE);
    let one = Withdraw { epoch: Epoch(2), session: SessionId(1), token: Token(3) };
    own.withdraw(&Withdraw { epoch: Epoch(1), ..one.clone() });
    own.withdraw(&one);
    own.grant(grant(Right::EXCL, 5));
    // The first order ends after its grant was withdrawn and another has come.
    own.over(OrderId(1));
    // So do orders that are refused and had none: of another session, of an older epoch.
    let stray = Order { session: SessionId(9), ..order(2, Verb::RESTORE) };
    assert_eq!(reason(&mut own, &stray, 1), Reason::NO_SESSION);
    let old = Order { epoch: Epoch(1), ..order(3, Verb::RESTORE) };
    assert_eq!(reason(&mut own, &old, 1), Reason::OLD_EPOCH);
    assert_eq!(reason(&mut own, &order(4, Verb::RESTORE), 1), Reason::NONE);
}

#[test]
fn a_newer_epoch_ends_the_older_whoever_names_it() {
    let mut own = own();
    own.grant(grant(Right::EXCL, 5));
    let newer = Order { epoch: Epoch(3), ..order(1, Verb::RESTORE) };
    assert_eq!(reason(&mut own, &newer, 1), Reason::NO_SESSION);
    own.grant(grant(Right::EXCL, 5));
    assert_eq!(reason(&mut own, &order(2, Verb::RESTORE), 1), Reason::OLD_EPOCH);
}
