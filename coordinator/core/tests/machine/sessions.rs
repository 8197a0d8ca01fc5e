//! Sessions: names, assuming, many at once.

use std::collections::BTreeSet;

use dray_wire::messages::*;
use dray_wire::{Bytes, Message, Reason, SessionId};

use crate::parties::*;

#[test]
fn four_thousand_sessions_have_names_of_their_own() {
    let mut all = Parties::new();
    let client = all.client();
    let ids: BTreeSet<SessionId> = (0..4000).map(|_| all.session(client)).collect();
    assert_eq!(ids.len(), 4000);
    let (mut after, mut seen) = (SessionId::NONE, 0);
    loop {
        let ask = ListSessions { after, limit: 1000, ..ListSessions::default() };
        let Message::Sessions(page) = all.ask(client, ask) else { panic!() };
        let Some(last) = page.sessions.0.last() else { break };
        after = last.session;
        seen += page.sessions.0.len();
    }
    assert_eq!(seen, 4000);
}

#[test]
fn a_session_outlives_its_owner_and_is_assumed_with_its_events() {
    let mut all = Parties::new();
    let owner = all.client();
    let session = all.session(owner);
    let token = all.token(owner, session);
    all.core.disconnected(all.now, owner);
    let heir = all.client();
    let info = Bytes::new(*b"heir").unwrap();
    let assume = CreateSession { assume: session, info, ..CreateSession::default() };
    let Message::SessionCreated(created) = all.ask(heir, assume.clone()) else { panic!() };
    assert_ne!(created.session, session);
    assert_eq!(all.refused(heir, assume), Reason::NO_SESSION);
    let ask = ListTokens { session: created.session, limit: 10, ..ListTokens::default() };
    let Message::Tokens(tokens) = all.ask(heir, ask) else { panic!() };
    assert_eq!(tokens.tokens.0, [token]);
    let find = FindEvent { session: created.session, token };
    let Message::Events(events) = all.ask(heir, find) else { panic!() };
    assert_eq!(events.events.0[0].token, token);
    let busy = DestroySession { session: created.session };
    assert_eq!(all.refused(heir, busy), Reason::SESSION_BUSY);
}
