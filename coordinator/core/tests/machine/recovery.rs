//! A coordinator ends at some moment, and another takes over what was kept.

use dray_core::Setup;
use dray_wire::messages::*;
use dray_wire::{
    Bytes, Class, Epoch, EventType, List, Message, Reason, RequestId, Response, Right, Role,
    SessionId, Status, Token, Verb,
};

use crate::parties::*;

const BULK: (Class, Verb) = (Class::ARCHIVE, Verb::ARCHIVE);

fn durable() -> Parties {
    Parties::with(Setup { durable: true, ..Setup::default() })
}

/// Asks, and has it kept before it is answered.
fn kept(all: &mut Parties, client: u32, message: impl Into<Message>) -> Message {
    let request = all.tell(client, message);
    all.keep();
    all.reply(client, request).expect("a reply")
}

fn file(inode: u64) -> Item {
    item(inode, 100)
}

fn session(all: &mut Parties, client: u32) -> SessionId {
    let info = Bytes::new(*b"kept").expect("it is short");
    let created = kept(all, client, CreateSession { share: 7, info, ..Default::default() });
    match created {
        Message::SessionCreated(it) => it.session,
        other => panic!("{other:?}"),
    }
}

fn submit(
    all: &mut Parties,
    client: u32,
    session: SessionId,
    inodes: std::ops::Range<u64>,
) -> Vec<RequestId> {
    let items = List(inodes.map(file).collect());
    let (class, verb) = BULK;
    match kept(all, client, Submit { session, class, verb, items, ..Submit::default() }) {
        Message::Accepted(it) => it.requests.0,
        other => panic!("{other:?}"),
    }
}

fn status(all: &mut Parties, client: u32, request: RequestId) -> Option<Status> {
    match all.ask(client, ShowRequest { request }) {
        Message::Requests(it) => Some(it.requests.0[0].status),
        _ => None,
    }
}

#[test]
fn nothing_is_promised_before_it_is_kept() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let (node, _) = all.node("one", 1);
    let items = List(vec![file(1)]);
    let (class, verb) = BULK;
    let asked = all.tell(client, Submit { session: own, class, verb, items, ..Submit::default() });
    assert!(all.reply(client, asked).is_none());
    // Work may begin: nobody was promised anything, but somebody has asked for it.
    let order = all.orders(node).remove(0);
    all.finish(node, &order, Status::DONE);
    assert!(all.outcomes(client).is_empty());
    // Leases and pings rely on nothing that is kept.
    assert!(matches!(all.ask(client, Ping::default()), Message::Done(_)));
    all.keep();
    assert!(matches!(all.reply(client, asked), Some(Message::Accepted(_))));
    assert_eq!(all.outcomes(client)[0].status, Status::DONE);
}

#[test]
fn requests_go_on_under_their_ids() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let first = submit(&mut all, client, own, 1..4);
    let second = submit(&mut all, client, own, 4..7);
    kept(&mut all, client, Cancel { session: own, requests: List(vec![first[1]]) });
    let (node, _) = all.node("one", 1);
    // Items 1, 3 are done; the outcome of 3 is not kept before the end.
    let orders = all.orders(node);
    assert_eq!(orders[0].items.0.len(), 5);
    let result = |index, status| ItemResult { index, status, bytes: 9, ..Default::default() };
    for (index, keeps) in [(0, true), (1, false)] {
        let results = List(vec![result(index, Status::DONE)]);
        let (epoch, order) = (orders[0].epoch, orders[0].order);
        all.tell(node, OrderDone { epoch, order, results });
        if keeps {
            all.keep();
        }
    }
    all.restart();
    assert_eq!(all.core.open_requests(), 4);
    let client = all.client();
    assert_eq!(status(&mut all, client, first[0]), Some(Status::DONE));
    assert_eq!(status(&mut all, client, first[1]), Some(Status::CANCELLED));
    assert_eq!(status(&mut all, client, first[2]), Some(Status::QUEUED));
    let watched = List(first.iter().chain(&second).copied().collect());
    let answer = all.ask(client, Watch { requests: watched });
    assert!(matches!(answer, Message::Watched(it) if it.statuses.0.len() == 6));
    let told: Vec<_> = all.outcomes(client).iter().map(|it| (it.request, it.bytes)).collect();
    assert_eq!(told, [(first[0], 9), (first[1], 0)]);
    let (node, _) = all.node("one", 1);
    let orders = all.settle(&[node]);
    let handles: Vec<_> = orders[&node][0].items.0.iter().map(|it| it.handle).collect();
    assert_eq!(handles, [3, 4, 5, 6].map(handle));
    all.keep();
    assert_eq!(all.outcomes(client).len(), 4);
}

#[test]
fn an_id_is_not_given_twice() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let mut seen: Vec<RequestId> = submit(&mut all, client, own, 1..3);
    // Of blocked readers nothing is kept, yet their ids are not given again.
    let blocked = (Class::BLOCKED, Verb::RESTORE);
    seen.extend(all.submit(client, own, blocked, vec![file(50)]));
    for round in 0..3 {
        all.restart();
        let client = all.client();
        assert_eq!(status(&mut all, client, seen[2]), None, "restart {round}");
        let more = submit(&mut all, client, own, 100 + round..101 + round);
        assert!(!seen.contains(&more[0]));
        seen.extend(more);
        let blocked = all.submit(client, own, blocked, vec![file(50)]);
        assert!(!seen.contains(&blocked[0]));
        seen.extend(blocked);
    }
    assert_eq!(all.core.open_requests(), 6, "five that are kept and one that is not");
}

fn described(all: &mut Parties, client: u32) -> (Vec<SessionInfo>, Vec<Disposition>) {
    let sessions = match all.ask(client, ListSessions { limit: 10, ..Default::default() }) {
        Message::Sessions(it) => it.sessions.0,
        other => panic!("{other:?}"),
    };
    let session = sessions.last().map_or(SessionId::NONE, |it| it.session);
    match all.ask(client, ListDispositions { session }) {
        Message::Dispositions(it) => (sessions, it.dispositions.0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_stay_as_they_were() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let gone = session(&mut all, client);
    submit(&mut all, client, own, 1..2);
    let set =
        SetDisposition { session: own, file_system: FS, events: 3 << 1, ..Default::default() };
    kept(&mut all, client, set);
    kept(&mut all, client, SetShare { session: own, share: 55, ..Default::default() });
    kept(&mut all, client, DestroySession { session: gone });
    // It has had another id since; requests go by the first.
    let assumed = kept(&mut all, client, CreateSession { assume: own, ..Default::default() });
    let Message::SessionCreated(SessionCreated { session: new }) = assumed else { panic!() };
    let before = described(&mut all, client);
    assert_eq!((before.0.len(), before.0[0].queued, before.1.len()), (1, 1, 1));
    for _ in 0..2 {
        all.restart();
        let client = all.client();
        assert_eq!(described(&mut all, client), before);
        assert_eq!(
            all.refused(client, SetShare { session: own, share: 1, ..Default::default() }),
            Reason::NO_SESSION
        );
        all.clean();
    }
    let client = all.client();
    let fresh = session(&mut all, client);
    assert!(fresh != own && fresh != new && fresh != gone);
}

fn right(all: &mut Parties, client: u32, session: SessionId, token: Token) -> Right {
    match all.ask(client, QueryRight { session, token, handle: handle(1) }) {
        Message::RightIs(it) => it.right,
        other => panic!("{other:?}"),
    }
}

fn request(session: SessionId, token: Token) -> RequestRight {
    let right = Right::EXCL;
    RequestRight { session, token, handle: handle(1), right, wait: 0, ..Default::default() }
}

#[test]
fn rights_come_back_with_their_tokens() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let data = Bytes::new(*b"mine").expect("it is short");
    let made = kept(&mut all, client, CreateUserEvent { session: own, data: data.clone() });
    let Message::TokenIs(TokenIs { token }) = made else { panic!() };
    assert!(matches!(kept(&mut all, client, request(own, token)), Message::Done(_)));
    all.restart();
    all.clean();
    let client = all.client();
    assert_eq!(right(&mut all, client, own, token), Right::EXCL);
    let found = all.ask(client, FindEvent { session: own, token });
    assert!(matches!(found, Message::Events(it) if it.events.0[0].data == data));
    // It keeps movements out as before.
    let (node, _) = all.node("one", 1);
    submit(&mut all, client, own, 1..2);
    assert!(all.orders(node).is_empty());
    let respond = RespondEvent {
        session: own,
        token,
        response: Response::CONTINUE,
        ..RespondEvent::default()
    };
    kept(&mut all, client, respond);
    all.restart();
    let client = all.client();
    assert_eq!(
        all.refused(client, QueryRight { session: own, token, handle: handle(1) }),
        Reason::NO_TOKEN
    );
    let (node, _) = all.node("one", 1);
    assert_eq!(all.orders(node).len(), 1);
}

fn read(token: Token) -> RaiseEvent {
    RaiseEvent { event: EventType::READ, token, handle: handle(1), ..RaiseEvent::default() }
}

fn fetched(all: &mut Parties, client: u32, session: SessionId) -> Vec<Token> {
    match all.ask(client, GetEvents { session, limit: 9, wait_ms: 0 }) {
        Message::Events(it) => it.events.0.iter().map(|event| event.token).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocked_readers_raise_their_events_again() {
    let mut all = durable();
    let (client, source) = (all.client(), all.connect(Role::CLIENT, "source"));
    let own = session(&mut all, client);
    let set =
        SetDisposition { session: own, file_system: FS, events: 1 << 1, ..Default::default() };
    kept(&mut all, client, set);
    assert_eq!(all.refused(source, read(Token(5))), Reason::UNKNOWN_VALUE);
    let token = Token(SOURCE_TOKEN | 5);
    let first = all.tell(source, read(token));
    assert_eq!(fetched(&mut all, client, own), [token]);
    assert!(matches!(kept(&mut all, client, request(own, token)), Message::Done(_)));
    // Over another connection, to the same coordinator: it is the same event.
    let again = all.connect(Role::CLIENT, "source");
    all.tell(again, read(token));
    assert!(matches!(all.reply(source, first), Some(Message::Refused(_))));
    assert!(fetched(&mut all, client, own).is_empty());
    all.restart();
    let (client, source) = (all.client(), all.connect(Role::CLIENT, "source"));
    let waits = all.tell(source, read(token));
    assert_eq!(fetched(&mut all, client, own), [token]);
    assert_eq!(right(&mut all, client, own, token), Right::EXCL);
    let respond = RespondEvent {
        session: own,
        token,
        response: Response::CONTINUE,
        ..RespondEvent::default()
    };
    kept(&mut all, client, respond);
    assert!(matches!(all.reply(source, waits), Some(Message::EventAnswered(_))));
}

#[test]
fn rights_of_readers_that_are_gone_are_given_back() {
    let mut all = durable();
    let (client, source) = (all.client(), all.connect(Role::CLIENT, "source"));
    let own = session(&mut all, client);
    let set =
        SetDisposition { session: own, file_system: FS, events: 1 << 1, ..Default::default() };
    kept(&mut all, client, set);
    let token = Token(SOURCE_TOKEN | 5);
    all.tell(source, read(token));
    fetched(&mut all, client, own);
    kept(&mut all, client, request(own, token));
    all.restart();
    let client = all.client();
    let (node, _) = all.node("one", 1);
    submit(&mut all, client, own, 1..2);
    assert!(all.orders(node).is_empty());
    for _ in 0..31 {
        all.tell(node, Renew { epoch: Epoch(2), ..Renew::default() });
        all.sleep(1000 * MS);
    }
    assert_eq!(all.orders(node).len(), 1);
    all.keep();
    all.restart();
    assert_eq!(all.core.holdings().rights, 0);
}

/// The queue of blocks turns over, again and again, and nothing is lost of it.
#[test]
fn what_is_true_stays_true_as_blocks_are_dropped() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let mut ids = Vec::new();
    for round in 0..20 {
        ids.extend(submit(&mut all, client, own, round * 10..round * 10 + 10));
        let requests = List(vec![ids[ids.len() - 1]]);
        kept(&mut all, client, Cancel { session: own, requests });
        if round % 3 == 2 {
            all.clean();
            all.clean();
        }
    }
    let (oldest, count) = (all.blocks[0].0, all.blocks.len());
    assert!(oldest > 10 && count < 60, "{oldest} {count}");
    all.restart();
    let client = all.client();
    for (at, id) in ids.iter().enumerate() {
        let wanted = if at % 10 == 9 { Status::CANCELLED } else { Status::QUEUED };
        assert_eq!(status(&mut all, client, *id), Some(wanted), "{at}");
    }
    // In the order in which they were asked for.
    let (node, _) = all.node("one", 1);
    let order = all.orders(node).remove(0);
    let inodes: Vec<u64> = order.items.0.iter().map(|it| it.handle.inode).collect();
    assert_eq!(inodes[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12]);
}

#[test]
fn whoever_leads_no_more_says_no_more() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    all.core.lead_until(all.now, all.now + 1000 * MS);
    let (node, _) = all.node("one", 1);
    let renewed = all.ask(node, Renew { epoch: Epoch(1), ..Renew::default() });
    assert!(matches!(renewed, Message::Renewed(it) if it.lease_ms == 1000));
    let asked = all.tell(client, CreateUserEvent { session: own, data: Bytes::default() });
    all.now += 1000 * MS;
    all.keep();
    assert!(all.reply(client, asked).is_none());
    assert!(!all.core.leads() && all.closed.contains(&client) && all.closed.contains(&node));
    assert!(all.core.connected(all.now, dray_core::Peer::Same).is_none());
}

#[test]
fn a_store_that_fails_is_told_of() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    all.core.store_fails(Some("no space".to_owned()));
    let items = List(vec![file(1)]);
    let (class, verb) = BULK;
    let ask = Submit { session: own, class, verb, items, ..Submit::default() };
    assert_eq!(all.refused(client, ask.clone()), Reason::BUSY);
    // A blocked reader is served nevertheless: nothing of it is kept.
    all.submit(client, own, (Class::BLOCKED, Verb::RESTORE), vec![file(1)]);
    all.core.store_fails(None);
    assert!(matches!(kept(&mut all, client, ask), Message::Accepted(_)));
}

/// What was accepted and is not durable yet is shown to nobody, who is told why.
#[test]
fn who_looks_while_the_store_fails_is_told_so() {
    let mut all = durable();
    let client = all.client();
    let own = session(&mut all, client);
    let (class, verb) = BULK;
    let items = List(vec![file(1)]);
    let asked = all.tell(client, Submit { session: own, class, verb, items, ..Submit::default() });
    assert!(all.reply(client, asked).is_none());
    all.core.store_fails(Some("no space".to_owned()));
    assert_eq!(all.refused(client, ListRequests::default()), Reason::BUSY);
    assert_eq!(all.refused(client, ListSessions::default()), Reason::BUSY);
    assert!(matches!(all.ask(client, ListNodes::default()), Message::Nodes(_)));
    all.core.store_fails(None);
    all.keep();
    assert!(matches!(all.reply(client, asked), Some(Message::Accepted(_))));
    assert!(matches!(all.ask(client, ListSessions::default()), Message::Sessions(_)));
}

#[test]
fn what_is_no_block_is_refused() {
    let mut all = durable();
    let client = all.client();
    session(&mut all, client);
    let block = all.blocks[0].1.clone();
    let mut newer = block.clone();
    newer[0] = 2;
    let mut core = dray_core::Coordinator::new(Setup { durable: true, ..Setup::default() });
    assert_eq!(core.restore(1, &newer), Err(dray_core::BadBlock::Version(2)));
    for end in 0..block.len() {
        let mut core = dray_core::Coordinator::new(Setup { durable: true, ..Setup::default() });
        let whole = end == 8;
        assert_eq!(core.restore(1, &block[..end]).is_ok(), whole, "{end}");
    }
}
