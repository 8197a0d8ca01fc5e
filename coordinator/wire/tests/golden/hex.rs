//! Files of frames: comments, the header on a line of its own, the body 32 bytes a line.

use std::fmt::Write as _;
use std::path::PathBuf;

use dray_wire::HEADER_BYTES;

pub(crate) struct Vector {
    /// Without their `#`.
    pub(crate) comments: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn folder() -> PathBuf {
    // Asked at run time: with one target directory for two copies of the repository the path from
    // compile time may be that of the other.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    here.join("../../tests/vectors/wire")
}

/// Whether files are to be written rather than compared. In CI that would hide every change.
pub(crate) fn bless() -> bool {
    let on = |name| std::env::var_os(name).is_some_and(|value| value == "1" || value == "true");
    assert!(!(on("DRAY_BLESS") && on("CI")), "vectors are not written in CI");
    on("DRAY_BLESS")
}

pub(crate) fn format(comments: &[String], bytes: &[u8]) -> String {
    let mut out = String::new();
    for comment in comments {
        let _ = writeln!(out, "# {comment}");
    }
    let (header, body) = bytes.split_at(HEADER_BYTES);
    for line in std::iter::once(header).chain(body.chunks(32)) {
        line.iter().for_each(|byte| write!(out, "{byte:02x}").expect("to memory"));
        out.push('\n');
    }
    out
}

pub(crate) fn parse(text: &str) -> Vector {
    let (comments, lines): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('#'));
    let digits: Vec<u8> = lines.concat().bytes().collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes = digits.chunks(2).map(|pair| byte(pair).expect("pairs of hex digits")).collect();
    let comments = comments.iter().map(|it| it.trim_start_matches(['#', ' ']).to_owned());
    Vector { comments: comments.collect(), bytes }
}

#[test]
fn what_is_written_is_read() {
    let bytes: Vec<u8> = (0..80).collect();
    let text = format(&["a frame".into()], &bytes);
    assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [9, 64, 64, 32]);
    let vector = parse(&text);
    assert_eq!((vector.comments, vector.bytes), (vec!["a frame".to_owned()], bytes));
}
