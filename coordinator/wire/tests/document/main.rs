//! `docs/wire.md` and the code say the same. Kinds, fields and numbers are read out of the
//! document, so that neither is changed without the other.
#![forbid(unsafe_code)]

mod fields;
mod text;

use dray_wire::limits::{BODY_MAX, UNREAD_MAX};
use dray_wire::messages::{
    ACCEPT_CONTENT, FILE_SYSTEM, KIND_DIRECTORY, KIND_FILE, KIND_LINK, KIND_OTHER, KIND_SYMLINK,
    READ_NEXT, SESSION, SILENT,
};
use dray_wire::{
    Class, EventType, HEADER_BYTES, MAGIC, Message, Reason, Response, Right, Role, Status, Step,
    VERSION, Verb,
};

use crate::text::{Document, numbered};

#[test]
fn messages_are_those_of_the_document() {
    let document = Document::read();
    let written: Vec<(u16, &str)> =
        document.messages().iter().map(|row| (row.kind, row.name)).collect();
    let known: Vec<(u16, &str)> = Message::KINDS.iter().map(|(it, name)| (it.0, *name)).collect();
    assert_eq!(written, known);
}

#[test]
fn fields_are_those_of_the_document() {
    let document = Document::read();
    let records = document.records();
    let mut wrong = Vec::new();
    for (row, (kind, name)) in document.messages().iter().zip(Message::KINDS) {
        let written = fields::shape(row.fields, &records);
        let known = fields::merged(&Message::shape(*kind).expect("a kind of KINDS"));
        if written != known {
            wrong.push(format!("{name}\n  document: {written}\n  code:     {known}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every message that is a reply or pushed is so named, and every reply is a message.
#[test]
fn replies_are_messages() {
    let document = Document::read();
    let known = |word: &str| Message::KINDS.iter().any(|(_, name)| *name == word);
    for row in document.messages() {
        for part in row.reply.split(';').filter(|part| !part.trim().is_empty()) {
            let word = part.trim().split([' ', ',']).next().unwrap_or_default();
            assert!(word == "pushed" || known(word), "{} is answered by {word}", row.name);
        }
    }
}

#[test]
fn reasons_are_those_of_the_document() {
    let written = Document::read().reasons();
    let known: Vec<(u64, String)> = Reason::ALL.iter().skip(1).map(|it| pair(it.0, it)).collect();
    assert_eq!(Reason::ALL[0], Reason::NONE);
    assert_eq!(written, known);
}

fn pair(number: impl Into<u64>, word: impl ToString) -> (u64, String) {
    (number.into(), word.to_string())
}

macro_rules! same {
    ($document:ident, $start:literal, $name:ident) => {
        let known: Vec<_> = $name::ALL.iter().map(|it| pair(it.0, it)).collect();
        assert_eq!(numbered($document.sentence($start)), known, "{}", $start);
    };
}

#[test]
fn values_are_those_of_the_document() {
    let document = Document::read();
    same!(document, "Classes: ", Class);
    same!(document, "Verbs: ", Verb);
    same!(document, "Status: ", Status);
    same!(document, "Steps: ", Step);
    same!(document, "Rights: ", Right);
    same!(document, "Event types, ", EventType);
    same!(document, "Responses: ", Response);

    let kinds = [
        (KIND_FILE, "file"),
        (KIND_DIRECTORY, "directory"),
        (KIND_SYMLINK, "symbolic link"),
        (KIND_OTHER, "other"),
        (KIND_LINK, "further name"),
    ];
    assert_eq!(numbered(document.sentence("Kind: ")), kinds.map(|(it, word)| pair(it, word)));
    let flags = [
        (ACCEPT_CONTENT.trailing_zeros(), "accept content"),
        (SILENT.trailing_zeros(), "no outcomes wanted"),
        (READ_NEXT.trailing_zeros(), "read next"),
    ];
    assert_eq!(numbered(document.sentence("Flags, ")), flags.map(|(it, word)| pair(it, word)));
}

#[test]
fn values_in_the_tables_are_those_of_the_code() {
    let document = Document::read();
    let row = |name| document.messages().into_iter().find(|row| row.name == name).unwrap();
    let within = |name, field: &str| {
        let (_, after) = row(name).fields.split_once(field).expect("the field is in the row");
        numbered(after.split_once(')').expect("the bracket closes").0)
    };
    let roles: Vec<_> = Role::ALL.iter().map(|it| pair(it.0, it)).collect();
    assert_eq!(within("Hello", "role u8 ("), roles);
    let scopes = [pair(FILE_SYSTEM, "file system"), pair(SESSION, "session")];
    assert_eq!(within("SetLimit", "scope u8 ("), scopes);
}

#[test]
fn the_header_is_that_of_the_document() {
    let document = Document::read();
    let rows = document.header();
    let mut next = 0;
    for (offset, size, field) in &rows {
        assert_eq!(*offset, next, "where {field} begins");
        next += size;
    }
    assert_eq!(next, HEADER_BYTES);
    assert!(document.text.contains(&format!("(\"{}\")", String::from_utf8_lossy(&MAGIC))));
    assert!(document.text.contains(&format!("| 4 | 2 | version | {VERSION} |")));
}

#[test]
fn limits_are_those_of_the_document() {
    let document = Document::read();
    let says = |words: &str| assert!(document.flat.contains(words), "docs/wire.md: {words}");
    assert_eq!(BODY_MAX, 1_048_576);
    says("of the body, at most 1,048,576");
    assert_eq!(UNREAD_MAX, 16 << 20);
    says("cut off when 16 MiB wait for him");
}
