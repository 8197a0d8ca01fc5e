//! Sessions, events and rights, through every method of the client.

use std::time::Duration;

use dray_client::Data;
use dray_wire::messages::RaiseEvent;
use dray_wire::{EventType, Reason, Response, Right, Token};

use crate::party::{AMPLE, FS, Place, handle, run};

fn reason<T: std::fmt::Debug>(outcome: dray_client::Result<T>) -> Reason {
    outcome.unwrap_err().reason().unwrap()
}

fn read(inode: u64) -> RaiseEvent {
    RaiseEvent { event: EventType::READ, handle: handle(inode), length: 9, ..Default::default() }
}

#[test]
fn sessions() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("one").await;
        assert_eq!(client.welcome().name.as_str(), "coordinator");
        client.ping().await.unwrap();
        let first = client.create_session(b"first").await.unwrap();
        client.set_share(first, 300).await.unwrap();
        let second = client.assume_session(first, b"second").await.unwrap();
        assert_ne!(first, second);
        let all = client.sessions().await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].session, all[0].share), (second, 300));
        assert_eq!(all[0].info.as_slice(), b"second");
        assert_eq!(reason(client.set_share(first, 1).await), Reason::NO_SESSION);
        client.destroy_session(second).await.unwrap();
        assert_eq!(reason(client.destroy_session(second).await), Reason::NO_SESSION);
        // An information string is cut to what XDSM allows.
        client.create_session(&[b'i'; 300]).await.unwrap();
        assert_eq!(client.sessions().await.unwrap()[0].info.as_slice().len(), 256);
    });
}

#[test]
fn a_thousand_sessions_are_listed() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("many").await;
        for number in 0..2500_u32 {
            client.create_session(&number.to_le_bytes()).await.unwrap();
        }
        let all = client.sessions().await.unwrap();
        assert_eq!(all.len(), 2500);
        assert!(all.is_sorted_by_key(|it| it.session));
    });
}

#[test]
fn events_are_raised_fetched_and_responded_to() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("application").await;
        let (reader, _) = place.client("reader").await;
        let session = client.create_session(b"").await.unwrap();
        client.set_disposition(session, FS, &[EventType::READ, EventType::CLOSE]).await.unwrap();
        let taken = client.dispositions(session).await.unwrap();
        assert_eq!((taken.len(), taken[0].file_system, taken[0].events), (1, FS, 0x4_0002));
        assert!(client.events(session, 8, Duration::ZERO).await.unwrap().is_empty());

        for outcome in [Ok(()), Err(5)] {
            let blocked = tokio::spawn({
                let reader = reader.clone();
                async move { reader.raise(read(4)).await }
            });
            let events = client.events(session, 8, AMPLE).await.unwrap();
            let [event] = &events[..] else { panic!("{events:?}") };
            assert_eq!((event.event, event.handle, event.length), (EventType::READ, handle(4), 9));
            client.pend(session, event.token, AMPLE).await.unwrap();
            assert_eq!(client.tokens(session).await.unwrap(), [event.token]);
            assert_eq!(client.find_event(session, event.token).await.unwrap(), *event);
            assert_eq!(reason(client.destroy_session(session).await), Reason::SESSION_BUSY);
            assert!(!blocked.is_finished());
            client.respond(session, event.token, outcome).await.unwrap();
            let answer = blocked.await.unwrap().unwrap().expect("it is synchronous");
            let expected = match outcome {
                Ok(()) => (Response::CONTINUE, 0),
                Err(error) => (Response::ABORT, error),
            };
            assert_eq!((answer.response, answer.error), expected);
            let again = client.respond(session, event.token, Ok(())).await;
            assert_eq!(reason(again), Reason::ANSWERED);
        }

        let close = RaiseEvent { event: EventType::CLOSE, ..read(4) };
        assert_eq!(reader.raise(close).await.unwrap(), None);
        let events = client.events(session, 8, AMPLE).await.unwrap();
        assert_eq!((events.len(), events[0].token), (1, Token::NONE));
        client.destroy_session(session).await.unwrap();
    });
}

#[test]
fn messages_between_sessions_and_events_that_move() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("application").await;
        let one = client.create_session(b"one").await.unwrap();
        let other = client.create_session(b"other").await.unwrap();
        let data = Data::new(*b"hello").unwrap();
        client.send(one, data.clone()).await.unwrap();
        let got = client.events(one, 8, AMPLE).await.unwrap();
        assert_eq!((got[0].event, got[0].data.as_slice()), (EventType::USER, &b"hello"[..]));

        let sender = client.clone();
        let waits = tokio::spawn(async move { sender.send_and_wait(one, data).await });
        let got = client.events(one, 8, AMPLE).await.unwrap();
        let token = client.move_event(one, got[0].token, other).await.unwrap();
        assert_eq!(client.tokens(other).await.unwrap(), [token]);
        client.respond(other, token, Err(11)).await.unwrap();
        assert_eq!(waits.await.unwrap().unwrap().error, 11);
    });
}

#[test]
fn rights_are_asked_for_changed_and_waited_for() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("application").await;
        let session = client.create_session(b"").await.unwrap();
        let one = client.create_token(session).await.unwrap();
        let other = client.create_token(session).await.unwrap();
        let file = handle(3);
        assert_eq!(client.query_right(session, one, file).await.unwrap(), Right::NULL);
        client.request_right(session, one, file, Right::SHARED).await.unwrap();
        client.upgrade_right(session, one, file).await.unwrap();
        assert_eq!(client.query_right(session, one, file).await.unwrap(), Right::EXCL);
        let waiter = client.clone();
        let waits =
            tokio::spawn(
                async move { waiter.request_right(session, other, file, Right::SHARED).await },
            );
        client.ping().await.unwrap();
        assert!(!waits.is_finished());
        client.downgrade_right(session, one, file).await.unwrap();
        waits.await.unwrap().unwrap();
        client.release_right(session, one, file).await.unwrap();
        assert_eq!(client.query_right(session, one, file).await.unwrap(), Right::NULL);
        assert_eq!(reason(client.upgrade_right(session, one, file).await), Reason::BAD_RIGHT);
        for token in [one, other] {
            client.respond(session, token, Ok(())).await.unwrap();
        }
        client.destroy_session(session).await.unwrap();
    });
}
