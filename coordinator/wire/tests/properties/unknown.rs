//! Rule W-5: what is not known is told apart from what is malformed.

use std::collections::BTreeSet;

use dray_wire::messages::{EventAnswered, Order, RaiseEvent, Refused, RightIs};
use dray_wire::{
    Class, EventType, HEADER_BYTES, Kind, Message, Reason, Response, Right, Role, Status, Step,
    Verb,
};

use crate::{body, first, frame};

#[test]
fn every_kind_that_is_not_known_is_passed_on_by_its_number() {
    let known: BTreeSet<u16> = Message::KINDS.iter().map(|(kind, _)| kind.0).collect();
    assert_eq!(known.len(), Message::KINDS.len(), "two messages of one kind");
    for kind in (0..=u16::MAX).filter(|kind| !known.contains(kind)).map(Kind) {
        assert_eq!(Message::decode(kind, b"what it would be"), Ok(Message::Unknown(kind)));
        let bytes = frame(&Message::Unknown(kind), 9);
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(first(&bytes), Ok(Some((9, Message::Unknown(kind)))));
    }
}

#[test]
fn every_kind_that_is_known_says_so() {
    for (kind, name) in Message::KINDS {
        let message = Message::sample(*kind, &mut dray_wire::samples::Dice::new(&[])).unwrap();
        assert_eq!(message.kind(), *kind);
        assert!(format!("{message:?}").starts_with(name), "{name} is decoded as {message:?}");
    }
}

fn survives(message: impl Into<Message>) {
    let message = message.into();
    assert_eq!(Message::decode(message.kind(), &body(&message)), Ok(message));
}

#[test]
fn values_that_are_not_known_survive() {
    for value in 0..=u8::MAX {
        survives(RightIs { right: Right(value), ..Default::default() });
        survives(EventAnswered { response: Response(value), ..Default::default() });
        survives(RaiseEvent { event: EventType(value), ..Default::default() });
        survives(Order {
            verb: Verb(value),
            step: Step(value),
            class: Class(value),
            ..Default::default()
        });
    }
    for value in 0..=u16::MAX {
        survives(Refused { reason: Reason(value), ..Default::default() });
    }
}

macro_rules! words_are_whole {
    ($($name:ident($inner:ty),)*) => {$(
        for value in 0..=<$inner>::MAX {
            let value = $name(value);
            assert_eq!(value.is_known(), $name::ALL.contains(&value));
            assert_eq!(value.word().and_then($name::from_word), value.is_known().then_some(value));
        }
        assert_eq!($name::from_word("no such word"), None);
        assert_eq!($name(99).to_string(), concat!(stringify!($name), "(99)"));
    )*};
}

#[test]
fn words_and_values_go_together() {
    words_are_whole! {
        Class(u8), EventType(u8), Reason(u16), Response(u8), Right(u8), Role(u8), Status(u8),
        Step(u8), Verb(u8),
    }
}

#[test]
fn bits_of_events_are_those_that_are_known() {
    let bits: Vec<u32> = (0..=u8::MAX).filter_map(|value| EventType(value).bit()).collect();
    assert_eq!(bits.len(), EventType::ALL.len());
    assert_eq!(bits.iter().sum::<u32>(), 0b1111_0000_0000_0001_1110);
    assert_eq!(EventType(32).bit(), None);
}
