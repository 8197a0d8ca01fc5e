//! The client's own end: what it must not do to the connection, and servers that misbehave.

use std::time::Duration;

use dray_client::{Client, Error, Options, Stream};
use dray_wire::messages::{Item, Welcome};
use dray_wire::{Class, Message, Name, RequestId, Verb, limits::CREDITS};
use tokio::io::AsyncWriteExt;

use crate::party::{AMPLE, Place, Raw, frame, item, run};

/// Stopping to wait is no answer: the coordinator still counts the request.
#[test]
fn who_stops_waiting_keeps_within_his_credits() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("impatient").await;
        let session = client.create_session(b"").await.unwrap();
        let wait = Duration::from_millis(600);
        for _ in 0..3 * CREDITS {
            let asked = client.events(session, 1, wait);
            let _ = tokio::time::timeout(Duration::from_millis(1), asked).await;
        }
        tokio::time::timeout(AMPLE, client.ping()).await.unwrap().unwrap();
    });
}

#[test]
fn more_than_a_frame_holds_is_an_error_of_who_asked() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("greedy").await;
        let session = client.create_session(b"").await.unwrap();
        let many: Vec<Item> = (0..4097).map(item).collect();
        let sent = client.submit(session, Class::ARCHIVE, Verb::ARCHIVE, many).await;
        assert!(matches!(sent, Err(Error::TooBig(_))), "{sent:?}");
        let name = Name::new(vec![b'n'; 4096]).unwrap();
        let long: Vec<Item> = (0..1000).map(|at| Item { name: name.clone(), ..item(at) }).collect();
        let sent = client.submit(session, Class::ARCHIVE, Verb::ARCHIVE, long).await;
        assert!(matches!(sent, Err(Error::TooBig(_))), "{sent:?}");
        let sent = client.cancel(session, vec![RequestId(1); 5000]).await;
        assert!(matches!(sent, Err(Error::TooBig(_))), "{sent:?}");
        client.ping().await.unwrap();
    });
}

/// A client, and a server that is played.
async fn played() -> (tokio::task::JoinHandle<dray_client::Result<Client>>, Raw, Stream) {
    let (own, other) = Stream::pair().unwrap();
    let (spare, _) = Stream::pair().unwrap();
    let joins = tokio::spawn(async move {
        Client::over(own, &Options::client("own")).await.map(|(client, _)| client)
    });
    (joins, Raw::new(other), spare)
}

async fn welcomed() -> (Client, Raw) {
    let (joins, mut server, _) = played().await;
    let hello = server.next().await;
    let Some((request, Message::Hello(_))) = hello else { panic!("{hello:?}") };
    server.send(&frame(Welcome { credits: 4, ..Welcome::default() }, request)).await;
    (joins.await.unwrap().unwrap(), server)
}

#[test]
fn no_request_is_sent_beyond_the_credits() {
    run(async {
        let (client, mut server) = welcomed().await;
        let asks: Vec<_> = (0..9)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.ping().await })
            })
            .collect();
        let mut got = Vec::new();
        for _ in 0..4 {
            got.push(server.next().await.unwrap().0);
        }
        let more = tokio::time::timeout(Duration::from_millis(100), server.next()).await;
        assert!(more.is_err(), "{more:?}");
        let mut answered = 0;
        while answered < 9 {
            for request in std::mem::take(&mut got) {
                server.send(&frame(dray_wire::messages::Done::default(), request)).await;
                answered += 1;
            }
            if answered < 9 {
                got.push(server.next().await.unwrap().0);
            }
        }
        for ask in asks {
            ask.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_server_that_sends_no_frames_is_left() {
    run(async {
        let (client, mut server) = welcomed().await;
        let waits = tokio::spawn({
            let client = client.clone();
            async move { client.ping().await }
        });
        server.next().await.unwrap();
        server.send(&[b'x'; 64]).await;
        let waited = waits.await.unwrap();
        assert!(matches!(waited, Err(Error::Malformed(_))), "{waited:?}");
        // Nobody waits for the answer to what is asked after that.
        let late = tokio::time::timeout(AMPLE, client.ping()).await.expect("at once");
        assert!(matches!(late, Err(Error::Malformed(_) | Error::Closed)), "{late:?}");
        server.closed().await;
    });
}

/// It may still read, but it will answer nothing.
#[test]
fn a_server_that_hung_up_is_asked_nothing() {
    run(async {
        let (client, mut server) = welcomed().await;
        server.hang_up().await;
        server.closed().await;
        let late = tokio::time::timeout(AMPLE, client.ping()).await.expect("at once");
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    });
}

#[test]
fn a_server_that_does_not_answer_hello_is_given_up() {
    run(async {
        let (joins, mut server, mut spare) = played().await;
        assert!(server.next().await.is_some());
        let gave_up = joins.await.unwrap();
        assert!(matches!(gave_up, Err(Error::Silent(_))), "{gave_up:?}");
        let _ = spare.shutdown().await;
    });
}
