//! Requests from being submitted to their outcomes, with a node that is played.

use std::collections::BTreeMap;

use dray_client::Pushed;
use dray_wire::messages::{ItemResult, Outcome, SetLimit, Submit};
use dray_wire::{Class, List, Message, Reason, RequestId, SessionId, Status, Text, Verb};

use crate::party::{AMPLE, FS, Place, Played, item, play, run};

async fn outcomes(pushed: &mut Pushed, count: usize) -> BTreeMap<RequestId, Outcome> {
    let mut all = BTreeMap::new();
    while all.len() < count {
        let message = tokio::time::timeout(AMPLE, pushed.recv()).await.expect("an outcome");
        let Some(Message::Outcomes(list)) = message else { panic!("{message:?}") };
        for outcome in list.outcomes.0 {
            assert!(all.insert(outcome.request, outcome).is_none(), "two outcomes of one");
        }
    }
    all
}

#[test]
fn every_request_has_one_outcome() {
    let place = Place::new();
    run(async {
        play(&place, "n1", |order, index| {
            let inode = order.items.0[index].handle.inode;
            if inode % 10 != 0 {
                return Played::done(order, index);
            }
            let (status, reason) = (Status::FAILED, Reason::DAMAGE);
            ItemResult { status, reason, text: Text::new("bad"), ..ItemResult::default() }
        })
        .await;
        let (client, mut pushed) = place.client("application").await;
        let session = client.create_session(b"").await.unwrap();
        let items: Vec<_> = (1..=3000).map(item).collect();
        let requests = client.submit(session, Class::ARCHIVE, Verb::ARCHIVE, items).await.unwrap();
        let all = outcomes(&mut pushed, 3000).await;
        for (index, request) in requests.iter().enumerate() {
            let expected = if (index + 1) % 10 == 0 { Status::FAILED } else { Status::DONE };
            assert_eq!(all[request].status, expected);
        }
        let tenth = &all[&requests[9]];
        assert_eq!((tenth.reason, tenth.text.as_str()), (Reason::DAMAGE, "bad"));
        let shown = client.request(requests[0]).await.unwrap();
        assert_eq!((shown.status, shown.bytes, shown.handle), (Status::DONE, 4096, item(1).handle));
        client.destroy_session(session).await.unwrap();
    });
}

#[test]
fn nodes_and_requests_are_listed_and_limits_set() {
    let place = Place::new();
    run(async {
        let played = play(&place, "n1", Played::done).await;
        let nodes = loop {
            let (client, _) = place.client("lister").await;
            let nodes = client.nodes().await.unwrap();
            if !nodes.is_empty() {
                break nodes;
            }
        };
        assert_eq!((nodes.len(), nodes[0].name.as_str(), nodes[0].cores), (1, "n1", 2));

        let (client, mut pushed) = place.client("application").await;
        let session = client.create_session(b"").await.unwrap();
        let shut = played.gate.lock().await;
        // Twice what a node is given at once.
        let mut requests = Vec::new();
        for from in 0..4 {
            let items = List((from * 4096..(from + 1) * 4096).map(item).collect());
            let (class, verb) = (Class::BACKGROUND, Verb::RESTORE);
            let submit = Submit { session, class, verb, items, ..Submit::default() };
            requests.extend(client.submit_as(submit).await.unwrap());
        }
        let (mut listed, mut after) = (Vec::new(), 0);
        loop {
            let (page, next) = client.requests(session, after, 1000).await.unwrap();
            listed.extend(page);
            if next == 0 {
                break;
            }
            after = next;
        }
        assert_eq!(listed.len(), requests.len());
        let (of_none, next) =
            client.requests(SessionId(u64::MAX), 0, 1000).await.unwrap_or_default();
        assert_eq!((of_none.len(), next), (0, 0));

        let mut statuses = Vec::new();
        for some in requests.chunks(4096) {
            statuses.extend(client.cancel(session, some.to_vec()).await.unwrap());
        }
        assert!(statuses.contains(&Status::CANCELLED), "some were still queued");
        drop(shut);
        let all = outcomes(&mut pushed, requests.len()).await;
        for (request, then) in requests.iter().zip(statuses) {
            let now = all[request].status;
            assert!(now.is_final() && (now == then || !then.is_final()), "{then} then {now}");
        }
        let scope = |scope, session| SetLimit { scope, session, ..SetLimit::default() };
        client
            .set_limit(SetLimit { file_system: FS, bytes_per_second: 1 << 30, ..scope(1, session) })
            .await
            .unwrap();
        client.set_limit(scope(2, session)).await.unwrap();
        let unknown = client.set_limit(scope(9, session)).await;
        assert_eq!(unknown.unwrap_err().reason(), Some(Reason::UNKNOWN_VALUE));
    });
}

#[test]
fn a_request_that_nobody_knows() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("application").await;
        let unknown = client.request(RequestId(77)).await;
        assert_eq!(unknown.unwrap_err().reason(), Some(Reason::NO_REQUEST));
        let items = vec![item(1)];
        let unknown = client.submit(SessionId(5), Class::ARCHIVE, Verb::ARCHIVE, items).await;
        assert_eq!(unknown.unwrap_err().reason(), Some(Reason::NO_SESSION));
    });
}
