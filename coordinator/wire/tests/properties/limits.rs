//! Lists and fields at their limits and beyond.

use dray_wire::limits::{BODY_MAX, ITEMS_MAX};
use dray_wire::messages::{Cancel, Cancelled, Item, Submit, Tokens};
use dray_wire::{
    HEADER_BYTES, Header, Kind, List, Malformed, Message, Name, RequestId, Status, TooBig,
};

use crate::{body, first, frame, messages};

/// The body of zeros, which every message has: no items, no bytes, whatever value.
fn least(kind: Kind) -> Vec<u8> {
    let length = (0..200).find(|length| Message::decode(kind, &vec![0; *length]).is_ok());
    vec![0; length.unwrap_or_else(|| panic!("{kind} has no body of zeros"))]
}

#[test]
fn the_least_of_a_message_is_its_smallest_sample() {
    for message in messages(&[]) {
        assert_eq!(body(&message), least(message.kind()), "{:?}", message.kind());
    }
}

#[test]
fn counts_and_lengths_beyond_the_body_are_refused_at_once() {
    let mut lists = 0;
    for (kind, name) in Message::KINDS {
        let shape = Message::shape(*kind).unwrap();
        let last = shape.rsplit("; ").next().unwrap();
        let is_list = last.contains(">, at most ");
        let is_long = last.starts_with("bytes<") || last.starts_with("text<");
        let expected =
            |number| if is_list { Malformed::Count(number) } else { Malformed::Length(number) };
        if !is_list && !is_long {
            continue;
        }
        lists += 1;
        for number in [u32::MAX, 1 << 31, 1 << 20] {
            let mut body = least(*kind);
            let at = body.len() - 4;
            body[at..].copy_from_slice(&number.to_le_bytes());
            assert_eq!(Message::decode(*kind, &body), Err(expected(number)), "{name}");
        }
    }
    assert!(lists > 20, "most messages end in a list or bytes: {lists}");
}

#[test]
fn a_list_is_as_long_as_its_limit_and_no_longer() {
    let statuses = |count| Message::from(Cancelled { statuses: List(vec![Status::DONE; count]) });
    let whole = statuses(ITEMS_MAX);
    assert_eq!(first(&frame(&whole, 1)), Ok(Some((1, whole.clone()))));

    let mut body = body(&whole);
    let more = ITEMS_MAX as u32 + 1;
    body[..4].copy_from_slice(&more.to_le_bytes());
    body.push(4);
    assert_eq!(Message::decode(Cancelled::KIND, &body), Err(Malformed::Count(more)));
}

#[test]
fn a_list_is_no_longer_than_the_bytes_that_are_left() {
    let requests = List(vec![RequestId(1), RequestId(2)]);
    let mut body = body(&Cancel { session: Default::default(), requests }.into());
    body.pop();
    assert_eq!(Message::decode(Cancel::KIND, &body), Err(Malformed::Count(2)));
}

#[test]
#[should_panic(expected = "a list within its limit")]
fn a_list_beyond_its_limit_is_not_sent() {
    frame(&Tokens { tokens: List(vec![Default::default(); 4097]) }.into(), 1);
}

#[test]
fn what_no_frame_may_carry_is_told_and_leaves_nothing() {
    let mut out = b"before".to_vec();
    let long = Tokens { tokens: List(vec![Default::default(); 4097]) }.into();
    assert_eq!(dray_wire::try_encode(&long, 1, &mut out), Err(TooBig::List));
    let name = Name::new(vec![b'n'; 4096]).unwrap();
    let items = List(vec![Item { name, ..Item::default() }; 300]);
    let wide = Submit { items, ..Submit::default() }.into();
    let refused = dray_wire::try_encode(&wide, 1, &mut out);
    assert!(matches!(refused, Err(TooBig::Body(bytes)) if bytes > BODY_MAX), "{refused:?}");
    assert_eq!(out, b"before");
    dray_wire::try_encode(&Message::Done(Default::default()), 1, &mut out).unwrap();
    assert_eq!(out[6..], frame(&Message::Done(Default::default()), 1));
}

#[test]
fn a_header_is_refused_before_its_body_has_come() {
    let header = |length| Header { kind: Kind(5), length, request: 1, body_sum: 0 }.encode();
    let limit = BODY_MAX as u32;
    assert_eq!(first(&header(limit)), Ok(None));
    assert_eq!(first(&header(limit + 1)), Err(Malformed::TooLong(limit + 1)));
    assert_eq!(first(&header(u32::MAX)), Err(Malformed::TooLong(u32::MAX)));
    assert_eq!(first(&header(limit)[..HEADER_BYTES - 1]), Ok(None));
}
