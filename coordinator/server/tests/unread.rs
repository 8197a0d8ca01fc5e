//! A client that never reads while outcomes pile up. Alone in its process, whose memory is
//! measured.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod party;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dray_wire::messages::{CreateSession, ItemResult, Submit};
use dray_wire::{Class, List, Message, Reason, Status, Text, Verb, limits::UNREAD_MAX};

use party::{Place, Witness, frame, item, play, resident, run};

/// One test at a time: they measure the same memory.
static ALONE: Mutex<()> = Mutex::new(());

/// Each with a text of 2 KiB for every file: four times what may wait for him.
const SUBMISSIONS: u64 = 8;
const FILES: u64 = 4096;

/// Who never reads is cut off, and what was kept for him is given back.
#[test]
fn outcomes_that_nobody_reads_cost_no_more_than_their_limit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    run(async {
        let text = Text::new(&"why ".repeat(512));
        let played = play(&place, "n1", move |_, _| {
            let (status, reason) = (Status::FAILED, Reason::FAILED);
            ItemResult { status, reason, text: text.clone(), ..ItemResult::default() }
        })
        .await;
        let witness = Witness::of(&place).await;
        let (client, _) = place.client("other").await;
        let mut raw = place.greeted().await;
        raw.ask(CreateSession::default()).await;
        let session = raw.next().await;
        let Some((_, Message::SessionCreated(created))) = session else { panic!("{session:?}") };
        let before = resident();
        let shut = played.gate.lock().await;
        for number in 0..SUBMISSIONS {
            let items = List((number * FILES..(number + 1) * FILES).map(item).collect());
            let (session, class, verb) = (created.session, Class::ARCHIVE, Verb::ARCHIVE);
            let submit = Submit { session, class, verb, items, ..Submit::default() };
            raw.send(&frame(submit, 100 + number)).await;
        }
        let queued = resident();
        drop(shut);
        let began = Instant::now();
        let mut most = 0;
        while queued_of(&client).await > 0 {
            most = most.max(resident());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let growth = most.saturating_sub(queued);
        let took = began.elapsed();
        // Some of it is in the socket; nothing comes after that but the end.
        let read = raw.drain().await;
        println!(
            "{} files failed in {took:?}; {} MiB when all were queued, {} MiB more at most, {} MiB \
             were read before the end, {} MiB of texts were made",
            SUBMISSIONS * FILES,
            (queued - before) >> 20,
            growth >> 20,
            read >> 20,
            (SUBMISSIONS * FILES * 2048) >> 20,
        );
        assert!(read < UNREAD_MAX, "it was not cut off: {read} bytes");
        assert!(growth < 3 * UNREAD_MAX as u64, "{growth} bytes more");
        witness.unharmed("a client that never reads").await;
    });
}

async fn queued_of(client: &dray_client::Client) -> u32 {
    client.sessions().await.unwrap().iter().map(|session| session.queued).sum()
}

/// Who asks and never reads is not read from either; when he goes, all goes with him.
#[test]
fn replies_that_nobody_reads_stop_the_asking() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    run(async {
        let (client, _) = place.client("maker").await;
        for _ in 0..1000 {
            client.create_session(&[b'i'; 256]).await.unwrap();
        }
        let witness = Witness::of(&place).await;
        let before = resident();
        let mut deaf = Vec::new();
        for _ in 0..8 {
            let mut raw = place.greeted().await;
            let ask = dray_wire::messages::ListSessions { limit: 4096, ..Default::default() };
            let asked: Vec<u8> = (0..2000).flat_map(|at| frame(ask.clone(), 100 + at)).collect();
            raw.try_send(&asked, Duration::from_millis(200)).await;
            deaf.push(raw);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let growth = resident().saturating_sub(before);
        println!("{} that never read: {} MiB", deaf.len(), growth >> 20);
        assert!(growth < deaf.len() as u64 * UNREAD_MAX as u64, "{growth} bytes more");
        witness.unharmed("clients that ask and never read").await;
    });
}
