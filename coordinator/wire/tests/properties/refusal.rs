//! What is not a message is refused.

use dray_wire::{Malformed, Message};
use proptest::prelude::*;

use crate::{body, cases, first, frame, material, messages};

/// Bodies longer than this are cut at some places only; trying all would take their square.
const SHORT: usize = 1500;

/// Where to cut something of `length` bytes.
fn cuts(length: usize) -> Vec<usize> {
    let step = if length <= SHORT { 1 } else { length / 64 };
    let ends = (length.saturating_sub(8)..length).chain(0..length.min(100));
    (0..length).step_by(step).chain(ends).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_body_that_ends_early_is_refused(material in material()) {
        for message in messages(&material) {
            let body = body(&message);
            for cut in cuts(body.len()) {
                let error = Message::decode(message.kind(), &body[..cut]).unwrap_err();
                let expected = matches!(error, Malformed::Short | Malformed::Count(_));
                prop_assert!(expected, "{:?} cut to {cut} bytes: {error:?}", message.kind());
            }
        }
    }

    #[test]
    fn a_body_that_goes_on_is_refused(material in material(), more in 1..40_usize, byte: u8) {
        for message in messages(&material) {
            let mut body = body(&message);
            body.resize(body.len() + more, byte);
            let decoded = Message::decode(message.kind(), &body);
            prop_assert_eq!(decoded, Err(Malformed::Trailing(more)));
        }
    }

    #[test]
    fn a_changed_byte_is_refused(material in material(), place: u16, change in 1..=255_u8) {
        for message in messages(&material) {
            let mut bytes = frame(&message, u64::from(place));
            let place = usize::from(place) % bytes.len();
            bytes[place] ^= change;
            prop_assert!(first(&bytes).is_err(), "{:?} with byte {place} changed", message.kind());
        }
    }

    #[test]
    fn whatever_comes_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (kind, _) in Message::KINDS {
            let _ = Message::decode(*kind, &bytes);
        }
        let _ = first(&bytes);
    }
}

/// A sum of 32 bits finds every single one that is flipped.
#[test]
fn every_flipped_bit_is_refused() {
    let material: Vec<u8> = (1..=200).collect();
    for message in messages(&[]).chain(messages(&material)) {
        let mut bytes = frame(&message, 0x0123_4567_89ab_cdef);
        for bit in 0..bytes.len().min(SHORT) * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = first(&bytes).unwrap_err();
            let expected = match bit / 8 {
                0..4 => Malformed::Magic,
                4..32 => Malformed::HeaderSum,
                _ => Malformed::BodySum,
            };
            assert_eq!(error, expected, "{:?} with bit {bit} flipped", message.kind());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
