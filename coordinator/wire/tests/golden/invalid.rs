//! Frames that must be refused, each for one reason.

use std::collections::HashSet;

use dray_wire::limits::BODY_MAX;
use dray_wire::{HEADER_BYTES, Header, Malformed, encode};

use crate::values;

/// Name of the file, what is wrong, bytes, error.
pub(crate) type Case = (&'static str, &'static str, Vec<u8>, Malformed);

pub(crate) fn all() -> Vec<Case> {
    let mut all = headers();
    all.extend(bodies());
    all.extend(lists());
    all.extend(fields());
    all
}

fn valid(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&values::of(name), 3, &mut out);
    out
}

/// A valid frame, but with the body changed and the sums right.
fn with_body(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = valid(name).split_off(HEADER_BYTES);
    change(&mut body);
    let kind = values::of(name).kind();
    let length = body.len().try_into().expect("short");
    let header = Header { kind, length, request: 3, body_sum: crc32c(&body) };
    [&header.encode()[..], &body].concat()
}

/// A valid *Ping*, but with its header changed and the sum right.
fn with_header(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = valid("Ping");
    change(&mut bytes);
    let sum = crc32c(&bytes[..28]);
    bytes[28..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Of the library and not of this crate, which might be wrong.
fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn changed(mut bytes: Vec<u8>, at: usize, change: u8) -> Vec<u8> {
    bytes[at] ^= change;
    bytes
}

fn set(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn headers() -> Vec<Case> {
    let too_long = BODY_MAX as u32 + 1;
    vec![
        ("magic", "\"dRAY\"", changed(valid("Ping"), 0, 0x20), Malformed::Magic),
        (
            "header-sum",
            "the sum's last bit",
            changed(valid("Ping"), 31, 0x80),
            Malformed::HeaderSum,
        ),
        (
            "header-sum-before-version",
            "version 3, and the sum is not of it",
            changed(valid("Ping"), 4, 2),
            Malformed::HeaderSum,
        ),
        ("version", "version 2", with_header(|it| it[4] = 2), Malformed::Version(2)),
        ("flags", "bit 31 of the flags", with_header(|it| it[11] = 0x80), Malformed::Reserved),
        (
            "version-before-flags",
            "version 0 and a flag",
            with_header(|it| {
                it[4] = 0;
                it[8] = 1;
            }),
            Malformed::Version(0),
        ),
        (
            "too-long",
            "a body one byte longer than allowed, of which nothing follows",
            with_header(|it| set(it, 12, too_long)),
            Malformed::TooLong(too_long),
        ),
        ("body-sum", "a bit of the body", changed(valid("SetShare"), 40, 1), Malformed::BodySum),
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        (
            "body-short",
            "the last byte is missing",
            with_body("SetShare", |body| body.truncate(15)),
            Malformed::Short,
        ),
        ("body-empty", "no body", with_body("TokenIs", Vec::clear), Malformed::Short),
        (
            "body-trailing",
            "a byte after the last field",
            with_body("SetShare", |body| body.push(0)),
            Malformed::Trailing(1),
        ),
        (
            "body-where-none-is",
            "Ping has no fields",
            with_body("Ping", |body| body.extend([1, 2])),
            Malformed::Trailing(2),
        ),
    ]
}

fn lists() -> Vec<Case> {
    let many = |body: &mut Vec<u8>| {
        body.clear();
        body.extend(4097_u32.to_le_bytes());
        body.resize(4 + 4097, 1);
    };
    vec![
        (
            "list-beyond-its-limit",
            "4097 statuses, all there",
            with_body("Cancelled", many),
            Malformed::Count(4097),
        ),
        (
            "list-beyond-the-body",
            "4 tokens, of which 3 are there",
            with_body("Tokens", |body| set(body, 0, 4)),
            Malformed::Count(4),
        ),
        (
            "list-of-all",
            "2^32 - 1 tokens",
            with_body("Tokens", |body| set(body, 0, u32::MAX)),
            Malformed::Count(u32::MAX),
        ),
        (
            "list-of-less",
            "2 tokens, but 3 are there",
            with_body("Tokens", |body| set(body, 0, 2)),
            Malformed::Trailing(8),
        ),
        (
            "list-within-a-list",
            "2^32 - 1 cores of a node",
            with_body("Nodes", |body| set(body, 36, u32::MAX)),
            Malformed::Count(u32::MAX),
        ),
    ]
}

fn fields() -> Vec<Case> {
    let label = |body: &mut Vec<u8>| {
        set(body, 24, 65);
        body.resize(28 + 65, b'x');
    };
    vec![
        (
            "text-beyond-its-limit",
            "a name of 65 bytes, all there",
            with_body("Hello", label),
            Malformed::Length(65),
        ),
        (
            "bytes-of-all",
            "2^32 - 1 bytes of information",
            with_body("CreateSession", |body| set(body, 16, u32::MAX)),
            Malformed::Length(u32::MAX),
        ),
        (
            "bytes-beyond-the-body",
            "one byte of data more than there is",
            with_body("CreateUserEvent", |body| set(body, 8, 5)),
            Malformed::Short,
        ),
        (
            "name-beyond-its-limit",
            "a name of 4097 bytes",
            // Behind 28 bytes of the message and the 74 of the item before its name.
            with_body("Submit", |body| body[102..104].copy_from_slice(&4097_u16.to_le_bytes())),
            Malformed::Length(4097),
        ),
        (
            "text-not-utf8",
            "a byte that begins no character",
            with_body("Hello", |body| body[28] = 0xff),
            Malformed::Text,
        ),
        (
            "text-cut-in-a-character",
            "the first byte of two, at the end",
            with_body("Hello", |body| *body.last_mut().expect("not empty") = 0xc3),
            Malformed::Text,
        ),
        (
            "reserved-bytes",
            "the first of three reserved bytes",
            with_body("Hello", |body| body[5] = 1),
            Malformed::Reserved,
        ),
        (
            "reserved-bytes-of-a-handle",
            "the last reserved byte of the handle",
            with_body("QueryRight", |body| *body.last_mut().expect("not empty") = 0x80),
            Malformed::Reserved,
        ),
    ]
}

/// How many errors there are. A new one does not compile until it is counted here.
fn errors(error: Malformed) -> usize {
    match error {
        Malformed::Magic
        | Malformed::HeaderSum
        | Malformed::Version(_)
        | Malformed::Reserved
        | Malformed::TooLong(_)
        | Malformed::BodySum
        | Malformed::Short
        | Malformed::Trailing(_)
        | Malformed::Count(_)
        | Malformed::Length(_)
        | Malformed::Text => 11,
    }
}

#[test]
fn every_error_has_a_case() {
    let variants: HashSet<_> = all().iter().map(|case| std::mem::discriminant(&case.3)).collect();
    assert_eq!(variants.len(), errors(Malformed::Magic));
}
