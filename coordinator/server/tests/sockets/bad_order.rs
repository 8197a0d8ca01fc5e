//! Sound frames that may not come then, or not from there (W-7, W-9, W-11, W-12).

use std::time::Duration;

use dray_link::ListenOptions;
use dray_server::CoreSetup;
use dray_wire::messages::{CreateSession, GetEvents, Hello, Join, OrderDone, Ping, Renew};
use dray_wire::{Cluster, Kind, Message, Reason, Role};

use crate::party::{Place, Witness, frame, hello, run, summed};

#[test]
fn requests_that_do_not_grow_close_the_connection() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        for (first, second) in [(5, 5), (5, 4), (5, 0), (u64::MAX, 1)] {
            let mut raw = place.greeted().await;
            raw.send(&[frame(Ping::default(), first), frame(Ping::default(), second)].concat())
                .await;
            let done = raw.next().await;
            assert!(matches!(done, Some((number, Message::Done(_))) if number == first));
            raw.refused(second, Reason::OUT_OF_ORDER).await;
            raw.closed().await;
        }
        witness.unharmed("replayed requests").await;
    });
}

#[test]
fn nothing_behind_what_closes_the_connection_is_done() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("other").await;
        // In one write, so that the server has it all at once.
        let create = || frame(CreateSession::default(), 9);
        let mut raw = place.greeted().await;
        let replayed = [frame(Ping::default(), 8), frame(Ping::default(), 8), create()];
        raw.send(&replayed.concat()).await;
        assert!(matches!(raw.next().await, Some((8, Message::Done(_)))));
        raw.refused(8, Reason::OUT_OF_ORDER).await;
        raw.closed().await;

        let late = [frame(Ping::default(), 1), frame(hello(Role::CLIENT, "late"), 2), create()];
        let mut raw = place.raw().await;
        raw.send(&late.concat()).await;
        raw.refused(1, Reason::OUT_OF_ORDER).await;
        raw.closed().await;
        assert_eq!(client.sessions().await.unwrap(), []);
    });
}

#[test]
fn who_does_not_say_hello_is_not_let_in() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let report = OrderDone::default();
        let others: [(Message, u64); 4] = [
            (Ping::default().into(), 1),
            (CreateSession::default().into(), 1),
            (Message::Unknown(Kind(0x7777)), 1),
            (report.into(), 0),
        ];
        for (other, request) in others {
            let mut raw = place.raw().await;
            raw.send(&frame(other, request)).await;
            raw.refused(request, Reason::OUT_OF_ORDER).await;
            raw.closed().await;
        }
        // A Hello that is none.
        let mut short = frame(hello(Role::CLIENT, "short"), 1);
        short.truncate(40);
        short[12..16].copy_from_slice(&8_u32.to_le_bytes());
        let mut raw = place.raw().await;
        raw.send(&summed(short)).await;
        raw.refused(1, Reason::MALFORMED).await;
        raw.closed().await;
        // The beginning of something that is too long for one.
        let mut raw = place.raw().await;
        let header = dray_wire::Header { kind: Kind(1), length: 1 << 20, request: 1, body_sum: 0 };
        raw.send(&[&header.encode()[..], &[0; 8000]].concat()).await;
        raw.refused(0, Reason::MALFORMED).await;
        raw.closed().await;
        witness.unharmed("no Hello").await;
    });
}

#[test]
fn a_hello_that_does_not_fit_is_refused() {
    let own = Cluster([3; 16]);
    let setup = CoreSetup { cluster: own, ..CoreSetup::default() };
    let place = Place::with(setup, ListenOptions::default());
    let good = || hello(Role::CLIENT, "client");
    let cases = [
        (Hello { version_from: 2, version_to: 3, ..good() }, Reason::VERSION),
        (Hello { version_from: 1, version_to: 0, ..good() }, Reason::VERSION),
        (Hello { cluster: Cluster([4; 16]), ..good() }, Reason::CLUSTER),
        (Hello { role: Role(9), ..good() }, Reason::UNKNOWN_VALUE),
    ];
    run(async {
        for (hello, why) in cases {
            let mut raw = place.raw().await;
            raw.send(&frame(hello, 1)).await;
            raw.refused(1, why).await;
            raw.closed().await;
        }
        for cluster in [own, Cluster::default()] {
            let mut raw = place.raw().await;
            raw.send(&frame(Hello { version_to: 7, cluster, ..good() }, 1)).await;
            assert!(matches!(raw.next().await, Some((1, Message::Welcome(_)))));
        }
    });
}

/// The document has no reason of its own for it: it is no request that can be asked.
#[test]
fn a_second_hello_changes_nothing() {
    let place = Place::new();
    run(async {
        let mut raw = place.greeted().await;
        let request = raw.ask(hello(Role::NODE, "n1")).await;
        raw.refused(request, Reason::UNKNOWN_KIND).await;
        // Nor is it a node now.
        let request = raw.ask(Join { cores: 1, ..Join::default() }).await;
        raw.refused(request, Reason::NOT_ALLOWED).await;
        raw.goes_on().await;
    });
}

#[test]
fn what_only_a_node_says_is_refused_to_others() {
    let place = Place::new();
    run(async {
        let mut raw = place.greeted().await;
        raw.send(&frame(OrderDone::default(), 0)).await;
        raw.refused(0, Reason::NOT_ALLOWED).await;
        let request = raw.ask(Renew::default()).await;
        raw.refused(request, Reason::NO_NODE_KNOWN).await;
        raw.goes_on().await;
    });
}

#[test]
fn one_request_more_than_the_credits_closes_the_connection() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let (client, _) = place.client("other").await;
        let session = client.create_session(b"").await.unwrap();
        let mut raw = place.greeted().await;
        let wait = GetEvents { session, limit: 1, wait_ms: 60_000 };
        let mut last = 0;
        for _ in 0..=dray_wire::limits::CREDITS {
            last = raw.ask(wait.clone()).await;
        }
        raw.refused(last, Reason::NO_CREDIT).await;
        raw.closed().await;
        // Nobody reads for the one who is gone: his readers took no event away.
        client.send(session, dray_client::Data::default()).await.unwrap();
        let got = client.events(session, 1, Duration::from_secs(5)).await.unwrap();
        assert_eq!(got.len(), 1);
        witness.unharmed("too many requests").await;
    });
}
