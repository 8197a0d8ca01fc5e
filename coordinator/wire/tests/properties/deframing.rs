//! Frames do not depend on how their bytes come.

use dray_wire::{Deframer, Malformed, Message};
use proptest::prelude::*;

use crate::{cases, frame, material, messages, read};

/// Hands `bytes` over in pieces of the given lengths, over and over, and reads what there is after
/// each.
fn in_pieces(bytes: &[u8], lengths: &[usize]) -> Result<Vec<(u64, Message)>, Malformed> {
    let mut deframer = Deframer::default();
    let mut rest = bytes;
    let mut found = Vec::new();
    for length in lengths.iter().cycle() {
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        deframer.buffer().extend_from_slice(piece);
        rest = after;
        while let Some(frame) = deframer.next_frame()? {
            found.push(read(&frame)?);
        }
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(deframer.pending(), 0, "bytes left after the last frame");
    Ok(found)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn pieces_make_the_same_frames(
        material in material(),
        lengths in prop::collection::vec(1..3000_usize, 1..12),
    ) {
        let sent: Vec<(u64, Message)> = (1..).zip(messages(&material)).collect();
        let bytes: Vec<u8> = sent.iter().flat_map(|(request, it)| frame(it, *request)).collect();
        prop_assert_eq!(in_pieces(&bytes, &lengths), Ok(sent));
    }

    #[test]
    fn no_bytes_make_the_deframer_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20),
    ) {
        let mut deframer = Deframer::default();
        for piece in pieces {
            deframer.buffer().extend_from_slice(&piece);
            while let Ok(Some(_)) = deframer.next_frame() {}
        }
    }
}

#[test]
fn one_byte_at_a_time_will_do() {
    let sent: Vec<(u64, Message)> = (1..).zip(messages(&[])).collect();
    let bytes: Vec<u8> = sent.iter().flat_map(|(request, it)| frame(it, *request)).collect();
    assert_eq!(in_pieces(&bytes, &[1]), Ok(sent));
}

#[test]
fn an_error_stays() {
    let mut deframer = Deframer::default();
    deframer.buffer().extend_from_slice(&[0; 32]);
    assert_eq!(deframer.next_frame(), Err(Malformed::Magic));
    deframer.buffer().extend(frame(&Message::Ping(Default::default()), 1));
    assert_eq!(deframer.next_frame(), Err(Malformed::Magic));
}
