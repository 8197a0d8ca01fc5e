//! Frames that are none: refused, and the connection is closed (W-1, W-2). Bodies that are none:
//! refused, and it goes on (W-4, W-5).

use dray_wire::limits::BODY_MAX;
use dray_wire::messages::{CreateSession, ListSessions, Ping, Submit};
use dray_wire::{Class, Header, Kind, Message, Reason, Verb};

use crate::party::{Place, Witness, frame, item, run, summed};

/// What is wrong, and the bytes.
fn no_frames() -> Vec<(&'static str, Vec<u8>)> {
    let good = || frame(CreateSession::default(), 9);
    let changed = |at: usize, bytes: &[u8]| {
        let mut frame = good();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let length = BODY_MAX as u32 + 1;
    let long = Header { kind: Kind(5), length, request: 9, body_sum: 0 };
    let longest = Header { length: u32::MAX, ..long };
    vec![
        ("magic", summed(changed(0, b"YARD"))),
        ("header sum", changed(28, &[1, 2, 3, 4])),
        ("kind without its sum", changed(6, &[2])),
        ("version", summed(changed(4, &[2, 0]))),
        ("flags", summed(changed(8, &[0, 0, 0, 1]))),
        ("length", long.encode().to_vec()),
        ("greatest length", longest.encode().to_vec()),
        ("body sum", changed(40, &[0xff])),
    ]
}

#[test]
fn what_is_no_frame_is_refused_and_the_connection_closed() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        for (what, bytes) in no_frames() {
            println!("{what}");
            let mut raw = place.greeted().await;
            raw.send(&bytes).await;
            raw.refused(0, Reason::MALFORMED).await;
            raw.closed().await;
        }
        witness.unharmed("bad frames").await;
    });
}

#[test]
fn nothing_behind_what_is_no_frame_is_looked_at() {
    let place = Place::new();
    run(async {
        let (client, _) = place.client("other").await;
        let (_, bad) = no_frames().swap_remove(1);
        let mut raw = place.greeted().await;
        raw.send(&[bad, frame(CreateSession::default(), 10)].concat()).await;
        raw.refused(0, Reason::MALFORMED).await;
        raw.closed().await;
        assert_eq!(client.sessions().await.unwrap(), []);
    });
}

#[test]
fn a_frame_cut_short_is_nothing() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let whole = frame(CreateSession::default(), 9);
        for cut in [1, 4, 31, 32, 33, whole.len() - 1] {
            let mut raw = place.greeted().await;
            raw.send(&whole[..cut]).await;
            raw.hang_up().await;
            raw.closed().await;
        }
        let (client, _) = place.client("other").await;
        assert_eq!(client.sessions().await.unwrap(), []);
        witness.unharmed("cut frames").await;
    });
}

#[test]
fn frames_that_come_byte_by_byte_are_frames() {
    let place = Place::new();
    run(async {
        let mut raw = place.greeted().await;
        for byte in frame(Ping::default(), 9) {
            raw.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert!(matches!(raw.next().await, Some((9, Message::Done(_)))));
    });
}

/// Sound frames with bodies that are not as they should be.
fn no_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let body = |message: Vec<u8>, body: &[u8]| {
        let mut frame = message[..32].to_vec();
        frame.extend_from_slice(body);
        frame[12..16].copy_from_slice(&(body.len() as u32).to_le_bytes());
        summed(frame)
    };
    let create = || frame(CreateSession::default(), 9);
    let whole = create()[32..].to_vec();
    let mut reserved = whole.clone();
    reserved[12] = 1;
    let mut long = whole.clone();
    long[16..20].copy_from_slice(&257_u32.to_le_bytes());
    long.extend_from_slice(&[b'i'; 257]);
    let submit = frame(Submit::default(), 9);
    let mut many = submit[32..].to_vec();
    let count = many.len() - 4;
    many[count..].copy_from_slice(&u32::MAX.to_le_bytes());
    vec![
        ("too short", body(create(), &whole[..3])),
        ("empty", body(create(), &[])),
        ("too long", body(create(), &[&whole[..], &[0]].concat())),
        ("reserved bytes", body(create(), &reserved)),
        ("a field beyond its limit", body(create(), &long)),
        ("a list beyond the body", body(submit, &many)),
        ("a ping with a body", body(frame(Ping::default(), 9), b"hello")),
    ]
}

#[test]
fn a_malformed_body_is_refused_and_the_connection_goes_on() {
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let mut raw = place.greeted().await;
        for (what, bytes) in no_bodies() {
            println!("{what}");
            raw.send(&bytes).await;
            raw.refused(9, Reason::MALFORMED).await;
        }
        let ask = ListSessions { limit: 10, ..ListSessions::default() };
        raw.send(&frame(ask, 20)).await;
        let next = raw.next().await;
        let none = matches!(&next, Some((20, Message::Sessions(it))) if it.sessions.0.is_empty());
        assert!(none, "{next:?}");
        witness.unharmed("malformed bodies").await;
    });
}

#[test]
fn what_is_not_known_is_refused_by_its_number_and_the_connection_goes_on() {
    let place = Place::new();
    run(async {
        let mut raw = place.greeted().await;
        for kind in [0_u16, 6, 0x0107, 0x7777, u16::MAX] {
            let request = raw.ask(Message::Unknown(Kind(kind))).await;
            let about = raw.refused(request, Reason::UNKNOWN_KIND).await;
            assert_eq!(about, u64::from(kind));
        }
        // What only the coordinator says is no request either.
        let request = raw.ask(dray_wire::messages::Done::default()).await;
        raw.refused(request, Reason::UNKNOWN_KIND).await;
        let request = raw.ask(CreateSession::default()).await;
        let created = raw.next().await;
        let Some((number, Message::SessionCreated(created))) = created else {
            panic!("{created:?}")
        };
        assert_eq!(number, request);
        let items = dray_wire::List(vec![item(1)]);
        let (session, class, verb) = (created.session, Class::ARCHIVE, Verb(99));
        let submit = Submit { session, class, verb, items, ..Submit::default() };
        let request = raw.ask(submit).await;
        raw.refused(request, Reason::UNKNOWN_VALUE).await;
        raw.goes_on().await;
    });
}
