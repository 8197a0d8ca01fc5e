//! What a line may look like.

use dray_tidy::findings::Findings;
use dray_tidy::repo;
use dray_tidy::source::{self, has_word};

const TEXT: [&str; 6] = [".rs", ".md", ".py", ".toml", ".sh", ".ci/run"];
const COLUMNS: usize = 100;

/// A table row cannot be broken and an address should not be.
fn may_be_long(file: &str, line: &str) -> bool {
    line.contains("://") || (file.ends_with(".md") && line.trim_start().starts_with('|'))
}

fn line_breach(file: &str, line: &str) -> Option<String> {
    let columns = line.chars().count();
    if columns > COLUMNS && !may_be_long(file, line) {
        return Some(format!("{columns} columns, {COLUMNS} allowed"));
    }
    if line.contains('\t') {
        return Some("tab".into());
    }
    (line.trim_end() != line).then(|| "space at the end of the line".into())
}

#[test]
fn lines_are_short_and_clean() -> Result<(), Findings> {
    let mut findings = Findings::of("long line, tab, or space at the end of a line");
    for file in repo::files_ending(&TEXT) {
        for (at, line) in repo::read(&file).lines().enumerate() {
            if let Some(what) = line_breach(&file, line) {
                findings.add(&file, at + 1, what);
            }
        }
    }
    findings.none()
}

#[test]
fn a_long_line_is_found() {
    let long = "x".repeat(COLUMNS + 1);
    assert!(line_breach("a.rs", &long).is_some());
    assert!(line_breach("a.md", &format!("| {long} |")).is_none());
    assert!(line_breach("a.rs", "x ").is_some());
    assert!(line_breach("a.rs", &"ä".repeat(COLUMNS)).is_none());
}

/// Spelt in parts so that this file does not hold them.
const UNFINISHED: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];
const BANNED_CALLS: [&str; 2] = [concat!("to", "do!"), concat!("db", "g!")];

#[test]
fn nothing_is_left_unfinished() -> Result<(), Findings> {
    let mut findings = Findings::of("unfinished work: do it, or open an issue");
    for file in repo::files_ending(&TEXT) {
        for (at, line) in repo::read(&file).lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
                findings.add(&file, at + 1, format!("{word} in: {}", line.trim()));
            }
        }
    }
    for file in repo::files_ending(&[".rs"]) {
        for (at, line) in source::split(&repo::read(&file)).iter().enumerate() {
            for call in BANNED_CALLS.iter().filter(|call| line.code.contains(**call)) {
                findings.add(&file, at + 1, format!("{call} in: {}", line.raw.trim()));
            }
        }
    }
    findings.none()
}
