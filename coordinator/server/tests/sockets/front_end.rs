//! The example of a front end against a real server: a node that is played moves nothing, readers
//! that are played wait.

use std::time::Duration;

use dray_client::{Client, Options};
use dray_wire::messages::{EventAnswered, ItemResult, RaiseEvent};
use dray_wire::{Class, EventType, Reason, Response, Status, Text, Verb};
use tokio::task::JoinHandle;

use crate::party::{AMPLE, FS, Place, Played, handle, play, run};
use crate::recall;

const INFO: &[u8] = b"front_end of a test";

/// Inodes from here on cannot be restored.
const DAMAGED: u64 = 900;

async fn node(place: &Place) -> Played {
    play(place, "n1", |order, index| {
        if order.items.0[index].handle.inode < DAMAGED {
            return Played::done(order, index);
        }
        let (status, reason) = (Status::FAILED, Reason::DAMAGE);
        ItemResult { status, reason, text: Text::new("damaged"), ..ItemResult::default() }
    })
    .await
}

/// Starts the application; killing it is aborting it, which closes its connection.
async fn application(place: &Place) -> JoinHandle<()> {
    let options = Options::client("front_end");
    let (client, pushed) = Client::connect(&place.address, None, &options).await.unwrap();
    tokio::spawn(async move {
        let session = recall::session(&client, INFO).await.unwrap();
        let ended = recall::run(client, pushed, session, FS).await;
        println!("the application has ended: {}", ended.unwrap_err());
    })
}

fn reader(client: &Client, inode: u64) -> JoinHandle<EventAnswered> {
    let client = client.clone();
    tokio::spawn(async move {
        let (event, length) = (EventType::READ, 4096);
        let handle = handle(inode);
        let raise = RaiseEvent { event, handle, offset: 8192, length, ..RaiseEvent::default() };
        client.raise(raise).await.unwrap().expect("it is synchronous")
    })
}

async fn answer(reader: JoinHandle<EventAnswered>) -> (Response, u32) {
    let answered = tokio::time::timeout(AMPLE, reader).await.expect("an answer").unwrap();
    (answered.response, answered.error)
}

#[test]
fn reads_are_answered_when_the_file_is_back() {
    let place = Place::new();
    run(async {
        let played = node(&place).await;
        let (client, _) = place.client("readers").await;
        // Before there is an application, and after.
        let early = reader(&client, 1);
        let application = application(&place).await;
        assert_eq!(answer(early).await, (Response::CONTINUE, 0));
        let readers: Vec<_> = (2..20).map(|inode| reader(&client, inode)).collect();
        let failing = reader(&client, DAMAGED);
        for reader in readers {
            assert_eq!(answer(reader).await, (Response::CONTINUE, 0));
        }
        assert_eq!(answer(failing).await, (Response::ABORT, recall::EIO));
        for order in played.orders.lock().unwrap().iter() {
            assert_eq!((order.verb, order.class), (Verb::RESTORE, Class::BLOCKED));
            let ranges = order.items.0.iter().map(|item| (item.offset, item.length));
            assert!(ranges.into_iter().all(|range| range == (8192, 4096)));
        }
        application.abort();
    });
}

#[test]
fn an_application_that_is_killed_answers_what_is_outstanding_when_it_is_back() {
    let place = Place::new();
    run(async {
        let played = node(&place).await;
        let (client, _) = place.client("readers").await;
        let first = application(&place).await;
        let shut = played.gate.lock().await;
        let blocked = [reader(&client, 5), reader(&client, DAMAGED)];
        // Until the movement is under way: the events are with the application, unanswered.
        let outstanding = loop {
            let sessions = client.sessions().await.unwrap();
            let all: u32 = sessions.iter().map(|session| session.outstanding).sum();
            if all == 2 && !played.orders.lock().unwrap().is_empty() {
                break sessions[0].session;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(blocked.iter().all(|reader| !reader.is_finished()));
        // One more comes while nobody is there.
        let late = reader(&client, 6);
        client.ping().await.unwrap();

        let second = application(&place).await;
        let [good, bad] = blocked;
        // The restore that the first one asked for ends only now.
        let asked = async {
            while client.sessions().await.unwrap()[0].session == outstanding {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(AMPLE, asked).await.expect("the session is assumed");
        drop(shut);
        assert_eq!(answer(good).await, (Response::CONTINUE, 0));
        assert_eq!(answer(bad).await, (Response::ABORT, recall::EIO));
        assert_eq!(answer(late).await, (Response::CONTINUE, 0));
        let sessions = client.sessions().await.unwrap();
        assert_eq!(sessions.len(), 1, "the session was taken over, not made anew");
        assert_eq!((sessions[0].outstanding, sessions[0].undelivered), (0, 0));
        second.abort();
    });
}
