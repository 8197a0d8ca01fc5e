//! A server that ends.

use std::time::{Duration, Instant};

use dray_client::{Client, Error, Options, Stream};

use crate::party::{Place, run};

#[test]
fn those_who_wait_are_told_at_once() {
    let mut place = Place::new();
    run(async {
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (client, mut pushed) = place.client("waiting").await;
            let session = client.create_session(b"").await.unwrap();
            waiting.spawn(async move {
                if number % 2 == 0 {
                    assert!(pushed.recv().await.is_none());
                    return client;
                }
                let hour = Duration::from_secs(3600);
                let waited = client.events(session, 1, hour).await;
                assert!(matches!(waited, Err(Error::Closed)), "{waited:?}");
                client
            });
        }
        let (known, _pushed) = place.client("last").await;
        known.ping().await.unwrap();
        let Place { server, folder, .. } = &mut place;
        let ended =
            std::mem::replace(server, dray_server::Server::start(Default::default()).unwrap());
        let at = Instant::now();
        drop(ended);
        while let Some(client) = waiting.join_next().await {
            // And so are those who ask after that.
            let late = client.unwrap().ping().await;
            assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        }
        println!("all knew after {:?}", at.elapsed());
        assert!(at.elapsed() < Duration::from_secs(2));
        assert!(!folder.path().join("dray.sock").exists(), "the socket is gone");
    });
}

#[test]
fn a_client_in_the_same_process_is_told_too() {
    let place = Place::new();
    let link = place.server.attach().unwrap();
    run(async {
        let link = Stream::from(tokio::net::UnixStream::from_std(link).unwrap());
        let (client, _) = Client::over(link, &Options::node("any")).await.unwrap();
        client.ping().await.unwrap();
        drop(place);
        assert!(matches!(client.ping().await, Err(Error::Closed)));
    });
}
