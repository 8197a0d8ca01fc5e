//! What is encoded is decoded to the same.

use dray_wire::{Bytes, HEADER_BYTES, Message, Name, Text};
use proptest::prelude::*;

use crate::{body, cases, first, frame, material, messages};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_message_survives(material in material(), request: u64) {
        for message in messages(&material) {
            let bytes = frame(&message, request);
            prop_assert_eq!(first(&bytes), Ok(Some((request, message))));
        }
    }

    /// There is one way to write a message, so bodies can be compared byte by byte.
    #[test]
    fn what_is_decoded_is_encoded_to_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (kind, _) in Message::KINDS {
            if let Ok(message) = Message::decode(*kind, &bytes) {
                prop_assert_eq!(body(&message), &bytes[..]);
            }
        }
    }

    #[test]
    fn texts_are_cut_at_a_character(text in ".{0,600}") {
        let cut = Text::<100>::new(&text);
        prop_assert!(text.starts_with(cut.as_str()));
        // The next character, had it fitted, would have been taken.
        let next = text[cut.as_str().len()..].chars().next().map_or(101, char::len_utf8);
        prop_assert!(cut.as_str().len() <= 100 && cut.as_str().len() + next > 100);
    }
}

#[test]
fn encoding_appends() {
    let two: Vec<Message> = messages(&[]).take(2).collect();
    let mut out = b"before".to_vec();
    for message in &two {
        dray_wire::encode(message, 5, &mut out);
    }
    let expected = [b"before".to_vec(), frame(&two[0], 5), frame(&two[1], 5)].concat();
    assert_eq!(out, expected);
}

#[test]
fn samples_reach_the_limits() {
    // Else the properties here would say nothing of long fields.
    let longest = |material: &[u8]| messages(material).map(|it| body(&it).len()).max();
    assert_eq!(longest(&[]), Some(68));
    assert!(longest(&[63; 400]) > Some(dray_wire::limits::RECEIPTS_MAX));
    assert_eq!(frame(&Message::Done(Default::default()), 0).len(), HEADER_BYTES);
}

#[test]
fn fields_are_no_longer_than_their_limit() {
    assert!(Bytes::<8>::new([0; 8]).is_some());
    assert!(Bytes::<8>::new([0; 9]).is_none());
    assert!(Name::new([b'/'; 4096]).is_some());
    assert!(Name::new([b'/'; 4097]).is_none());
}
