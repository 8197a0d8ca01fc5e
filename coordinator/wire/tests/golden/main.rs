//! Recorded frames in `tests/vectors/wire`: what other implementations are checked against, and
//! what shows that the protocol has changed. `DRAY_BLESS=1` writes them anew.
#![forbid(unsafe_code)]

mod corpus;
mod hex;
mod invalid;
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dray_wire::{Deframer, Malformed, Message, encode};

/// The only frame of `bytes`.
fn decode(bytes: &[u8]) -> Result<(u64, Message), Malformed> {
    let mut deframer = Deframer::default();
    deframer.buffer().extend_from_slice(bytes);
    let frame = deframer.next_frame()?.expect("the frame is whole");
    let read = (frame.header.request, Message::decode(frame.header.kind, frame.body)?);
    assert_eq!(deframer.pending(), 0, "bytes after the frame");
    Ok(read)
}

/// As the names of files are written: `set-share` for `SetShare`.
fn dashed(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn read(path: &Path) -> hex::Vector {
    let text = fs::read_to_string(path);
    hex::parse(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn write(path: &Path, comments: &[String], bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("the folder is made");
    fs::write(path, hex::format(comments, bytes)).expect("the vector is written");
}

#[test]
fn every_message_has_a_value() {
    let values: Vec<_> = values::all().iter().map(|(_, message)| message.kind()).collect();
    let kinds: Vec<_> = Message::KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(values, kinds, "the values in the order of KINDS");
}

#[test]
fn valid_frames_are_the_values() {
    for ((request, message), (kind, name)) in values::all().into_iter().zip(Message::KINDS) {
        let path = hex::folder().join(dashed(name)).with_extension("hex");
        let mut encoded = Vec::new();
        encode(&message, request, &mut encoded);
        if hex::bless() {
            let mut comments = vec![format!("{name} ({kind}), request {request:#x}")];
            if matches!(message, Message::Hello(_) | Message::Welcome(_)) {
                comments.push("Never changes: docs/wire.md, W-6.".into());
            }
            comments.push(format!("{message:?}"));
            write(&path, &comments, &encoded);
        }
        let vector = read(&path);
        assert_eq!(vector.bytes, encoded, "{name}: encoded otherwise than recorded");
        assert_eq!(decode(&vector.bytes), Ok((request, message)), "{name}");
    }
}

/// In this file too, so that nobody blesses a change of them.
#[test]
fn hello_and_welcome_never_change() {
    let hello = "4452415901000100000000002a0000000102030405060708c03d3c112360b2e5\
                 0100020002000000101112131415161718191a1b1c1d1e1f0e0000006e6f6465\
                 2d332e6578616d706c65";
    let welcome = "445241590100020000000000370000000202030405060708ee28b4df7107ee5e\
                 0100000020000000000010008813000029000000000000001011121314151617\
                 18191a1b1c1d1e1f0b000000636f6f7264696e61746f72";
    for (name, recorded) in [("hello", hello), ("welcome", welcome)] {
        let vector = read(&hex::folder().join(name).with_extension("hex"));
        assert_eq!(vector.bytes, hex::parse(recorded).bytes, "{name}");
        assert!(vector.comments.iter().any(|it| it.starts_with("Never changes")), "{name}");
    }
}

#[test]
fn invalid_frames_are_refused_for_their_reason() {
    let folder = hex::folder().join("invalid");
    for (name, what, bytes, error) in invalid::all() {
        let path = folder.join(name).with_extension("hex");
        let expect = format!("expect: {error:?}");
        if hex::bless() {
            write(&path, &[what.into(), expect.clone()], &bytes);
        }
        let vector = read(&path);
        assert_eq!(vector.bytes, bytes, "{name}: made otherwise than recorded");
        assert!(vector.comments.contains(&expect), "{name}: {:?}", vector.comments);
        assert_eq!(decode(&vector.bytes), Err(error), "{name}");
    }
}

#[test]
fn no_vector_is_left_over() {
    let valid = Message::KINDS.iter().map(|(_, name)| dashed(name));
    let invalid = invalid::all().into_iter().map(|(name, ..)| name.to_owned());
    assert_eq!(names(&hex::folder()), valid.collect());
    assert_eq!(names(&hex::folder().join("invalid")), invalid.collect());
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let vectors = paths.filter(|path| path.extension().is_some_and(|it| it == "hex"));
    vectors.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}
