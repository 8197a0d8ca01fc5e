//! The mover and the archive run in the simulator unchanged, so all they have of the world comes
//! through the traits of `dray-io`.

use dray_tidy::findings::Findings;
use dray_tidy::repo;
use dray_tidy::source::{self, has_word};

const PURE: [&str; 2] = ["engine/mover/src/", "engine/archive/src/"];

const BANNED: [(&str, &str); 6] = [
    ("std::fs", "World::files"),
    ("std::thread", "World::hands or World::cores"),
    ("std::net", "nothing: the engine has no sockets"),
    ("Instant::now", "a time that is passed in"),
    ("SystemTime::now", "a time that is passed in"),
    ("rand", "a value that is passed in"),
];

/// Modules of `std` that would slip through as `use std::{fs, ...}`.
const BANNED_IN_GROUP: [&str; 3] = ["fs", "thread", "net"];

/// Line and what to use in place of what stands there.
fn breaches(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_group = false;
    for (at, line) in source::split(text).iter().enumerate() {
        for (name, instead) in BANNED {
            if has_word(&line.code, name) {
                found.push((at + 1, format!("{name}: use {instead}")));
            }
        }
        in_group |= line.code.contains("use std::{");
        if in_group {
            for name in BANNED_IN_GROUP.iter().filter(|name| has_word(&line.code, name)) {
                found.push((at + 1, format!("std::{name} in a group: see std::{name}")));
            }
            in_group = !line.code.contains(';');
        }
    }
    found
}

#[test]
fn mover_and_archive_have_no_world_of_their_own() -> Result<(), Findings> {
    let mut findings = Findings::of("the mover or the archive reaches past dray-io");
    let pure = |file: &String| PURE.iter().any(|folder| file.starts_with(folder));
    for file in repo::files_ending(&[".rs"]).into_iter().filter(pure) {
        for (line, what) in breaches(&repo::read(&file)) {
            findings.add(&file, line, what);
        }
    }
    findings.none()
}

#[test]
fn a_clock_and_a_grouped_import_are_found() {
    let lines = |text| breaches(text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(lines("let t = Instant::now();"), [1]);
    assert_eq!(lines("use std::{\n    io,\n    fs::File,\n};\nfs();"), [3]);
    assert_eq!(lines("// std::fs is not for us\nlet operand = 1;"), [0; 0]);
}
