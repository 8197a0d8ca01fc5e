//! What a body costs in memory: rule W-3.

use dray_wire::limits::BODY_MAX;
use dray_wire::{List, Malformed, Message};
use proptest::prelude::*;

use crate::{body, cases, material, messages};

/// Bytes allocated at once by decoding `body`, and by that in all.
fn allocated(message: &Message, body: &[u8]) -> (u64, u64) {
    let info = allocation_counter::measure(|| {
        let _ = std::hint::black_box(Message::decode(message.kind(), body));
    });
    (info.bytes_max, info.bytes_total)
}

proptest! {
    #![proptest_config(cases(256))]

    /// A list in memory takes at most twice what its least items take on the wire; what they hold
    /// beyond that comes on top.
    #[test]
    fn a_body_costs_at_most_three_times_its_length(material in material(), place: u16, byte: u8) {
        for message in messages(&material) {
            let mut body = body(&message);
            prop_assert!(allocated(&message, &body).1 <= 3 * body.len() as u64);
            if body.is_empty() {
                continue;
            }
            // A count or a length may be what is changed.
            let place = usize::from(place) % body.len();
            body[place] = byte;
            prop_assert!(allocated(&message, &body).1 <= 3 * body.len() as u64);
        }
    }
}

/// Full of every number, a body of the greatest length still takes no more than that.
#[test]
fn no_body_costs_more_than_a_frame() {
    for byte in [0, 1, 3, 4, 15, 16, 64, 255] {
        let body = vec![byte; BODY_MAX];
        for message in messages(&[]) {
            let (at_once, _) = allocated(&message, &body);
            assert!(at_once <= BODY_MAX as u64, "{:?}: {at_once} bytes", message.kind());
        }
    }
}

#[test]
fn the_counter_counts() {
    let tokens = List(vec![Default::default(); 100]);
    let message = Message::from(dray_wire::messages::Tokens { tokens });
    let body = body(&message);
    assert_eq!(allocated(&message, &body), (800, 800));
    assert_eq!(Message::decode(message.kind(), &body[..700]), Err(Malformed::Count(100)));
    assert_eq!(allocated(&message, &body[..700]), (0, 0));
}
