//! Those who ask faster than they read.

use std::time::Duration;

use dray_client::{Client, Options};
use dray_wire::messages::{ListSessions, Ping};
use dray_wire::{Message, limits::UNREAD_MAX};

use crate::party::{Place, Witness, frame, run};

/// Asked for at once: some 20 times what may wait for one who does not read.
const LISTS: u64 = 1200;

#[test]
fn who_asks_faster_than_he_reads_is_paused_and_gets_everything() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("maker").await;
        for _ in 0..1000 {
            client.create_session(&[b'i'; 256]).await.unwrap();
        }
        let witness = Witness::of(&place).await;
        let mut raw = place.greeted().await;
        let ask = ListSessions { limit: 4096, ..ListSessions::default() };
        let asked: Vec<u8> = (0..LISTS).flat_map(|at| frame(ask.clone(), 100 + at)).collect();
        raw.send(&asked).await;
        // Long enough for the server to have answered all, if it did not pause.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut bytes = 0;
        for at in 0..LISTS {
            let next = raw.next().await;
            let Some((number, Message::Sessions(list))) = next else { panic!("{at}: {next:?}") };
            assert_eq!((number, list.sessions.0.len()), (100 + at, 1000));
            bytes += 284 * list.sessions.0.len();
        }
        assert!(bytes > 10 * UNREAD_MAX);
        raw.send(&frame(Ping::default(), 10_000)).await;
        assert!(matches!(raw.next().await, Some((10_000, Message::Done(_)))));
        println!("{} MiB of replies were waited for", bytes >> 20);
        witness.unharmed("a slow reader").await;
    });
}

/// More at once than the kernel keeps waiting on a socket.
#[test]
fn a_burst_of_clients_is_let_in() {
    let place = Place::new();
    run(async {
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..3000 {
            let address = place.address.clone();
            burst.spawn(async move {
                let options = Options::client("burst");
                let (client, _) = Client::connect(&address, None, &options).await?;
                client.ping().await
            });
        }
        while let Some(outcome) = burst.join_next().await {
            outcome.unwrap().unwrap();
        }
    });
}
