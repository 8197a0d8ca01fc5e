//! Rights between tokens of applications, and movements.

use dray_wire::messages::*;
use dray_wire::{Message, Reason, Right, Status};

use crate::parties::*;

struct Holder {
    client: u32,
    session: dray_wire::SessionId,
    token: dray_wire::Token,
}

fn holder(all: &mut Parties) -> Holder {
    let client = all.client();
    let session = all.session(client);
    let token = all.token(client, session);
    Holder { client, session, token }
}

fn ask(holder: &Holder, right: Right, wait: u8) -> RequestRight {
    let Holder { session, token, .. } = *holder;
    RequestRight { session, token, handle: handle(1), right, wait, ..RequestRight::default() }
}

#[test]
fn many_share_or_one_excludes() {
    let mut all = Parties::new();
    let (a, b, c) = (holder(&mut all), holder(&mut all), holder(&mut all));
    assert!(matches!(all.ask(a.client, ask(&a, Right::SHARED, 0)), Message::Done(_)));
    assert!(matches!(all.ask(b.client, ask(&b, Right::SHARED, 0)), Message::Done(_)));
    assert_eq!(all.refused(c.client, ask(&c, Right::EXCL, 0)), Reason::RIGHT_REFUSED);
    let waits = all.tell(c.client, ask(&c, Right::EXCL, 1));
    // Nobody overtakes who waits.
    let d = holder(&mut all);
    assert_eq!(all.refused(d.client, ask(&d, Right::SHARED, 0)), Reason::RIGHT_REFUSED);
    for one in [&a, &b] {
        assert!(all.reply(c.client, waits).is_none());
        let (session, token, handle) = (one.session, one.token, handle(1));
        all.ask(one.client, ReleaseRight { session, token, handle });
    }
    assert!(matches!(all.reply(c.client, waits), Some(Message::Done(_))));
}

#[test]
fn two_upgrades_do_not_wait_for_each_other() {
    let mut all = Parties::new();
    let (a, b) = (holder(&mut all), holder(&mut all));
    all.ask(a.client, ask(&a, Right::SHARED, 0));
    all.ask(b.client, ask(&b, Right::SHARED, 0));
    let upgrade = |it: &Holder| UpgradeRight {
        session: it.session,
        token: it.token,
        handle: handle(1),
        wait: 1,
        ..UpgradeRight::default()
    };
    let waits = all.tell(a.client, upgrade(&a));
    assert_eq!(all.refused(b.client, upgrade(&b)), Reason::RIGHT_REFUSED);
    let respond = RespondEvent {
        session: b.session,
        token: b.token,
        response: dray_wire::Response::CONTINUE,
        ..RespondEvent::default()
    };
    // The response gives back every right of the token.
    all.ask(b.client, respond);
    assert!(matches!(all.reply(a.client, waits), Some(Message::Done(_))));
    let query = QueryRight { session: a.session, token: a.token, handle: handle(1) };
    let Message::RightIs(it) = all.ask(a.client, query) else { panic!() };
    assert_eq!(it.right, Right::EXCL);
    let down = DowngradeRight { session: a.session, token: a.token, handle: handle(1) };
    assert!(matches!(all.ask(a.client, down.clone()), Message::Done(_)));
    assert_eq!(all.refused(a.client, down), Reason::BAD_RIGHT);
}

#[test]
fn a_movement_waits_for_the_right_of_an_application() {
    let mut all = Parties::new();
    let a = holder(&mut all);
    let (node, _) = all.node("n", 1);
    all.ask(a.client, ask(&a, Right::EXCL, 0));
    let ids = all.submit(a.client, a.session, RESTORE, vec![item(1, 5), item(2, 5)]);
    let orders = all.settle(&[node]);
    assert_eq!(orders[&node].iter().map(|it| it.items.0.len()).sum::<usize>(), 1);
    assert_eq!(all.info(a.client, ids[0]).status, Status::WAITING);
    let (session, token) = (a.session, a.token);
    all.ask(a.client, ReleaseRight { session, token, handle: handle(1) });
    all.settle(&[node]);
    assert_eq!(all.info(a.client, ids[0]).status, Status::DONE);
}

#[test]
fn a_token_that_asks_twice_holds_once() {
    let mut all = Parties::new();
    let (a, b, c) = (holder(&mut all), holder(&mut all), holder(&mut all));
    all.ask(a.client, ask(&a, Right::EXCL, 0));
    all.tell(b.client, ask(&b, Right::SHARED, 1));
    assert_eq!(all.refused(b.client, ask(&b, Right::SHARED, 1)), Reason::BAD_RIGHT);
    for one in [&a, &b] {
        let (session, token, handle) = (one.session, one.token, handle(1));
        all.ask(one.client, ReleaseRight { session, token, handle });
    }
    assert!(matches!(all.ask(c.client, ask(&c, Right::EXCL, 0)), Message::Done(_)));
}

#[test]
fn who_waits_under_a_token_is_told_when_it_ends() {
    let mut all = Parties::new();
    let (a, b) = (holder(&mut all), holder(&mut all));
    all.ask(a.client, ask(&a, Right::EXCL, 0));
    let waits = all.tell(b.client, ask(&b, Right::EXCL, 1));
    let (session, token, response) = (b.session, b.token, dray_wire::Response::CONTINUE);
    all.ask(b.client, RespondEvent { session, token, response, ..RespondEvent::default() });
    let Some(Message::Refused(it)) = all.reply(b.client, waits) else { panic!() };
    assert_eq!(it.reason, Reason::RIGHT_REFUSED);
}

#[test]
fn who_is_gone_waits_no_more() {
    let mut all = Parties::new();
    let (a, b, c) = (holder(&mut all), holder(&mut all), holder(&mut all));
    all.ask(a.client, ask(&a, Right::SHARED, 0));
    all.tell(b.client, ask(&b, Right::EXCL, 1));
    let waits = all.tell(c.client, ask(&c, Right::SHARED, 1));
    assert!(all.reply(c.client, waits).is_none());
    all.core.disconnected(all.now, b.client);
    all.pump();
    assert!(matches!(all.reply(c.client, waits), Some(Message::Done(_))));
}
