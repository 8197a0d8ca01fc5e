//! What the documents owe the reader.

use dray_tidy::findings::Findings;
use dray_tidy::{repo, workspace};

#[test]
fn every_crate_has_a_readme() -> Result<(), Findings> {
    let mut findings = Findings::of(
        "crate without a README: its role in three lines, what it must not do, entry types, tests",
    );
    for package in workspace::metadata().unwrap().workspace_packages() {
        let readme = format!("{}/README.md", workspace::folder(package));
        let path = repo::root().join(&readme);
        if std::fs::read_to_string(path).unwrap_or_default().trim().is_empty() {
            findings.add(&readme, 1, "missing or empty");
        }
    }
    findings.none()
}

/// Folders of one machine that mean nothing on another. In parts, so that this file is clean.
const MACHINE: [&str; 4] =
    [concat!("/", "work"), concat!("/", "root"), concat!("/", "home"), concat!("/", "Users")];

/// Whether an absolute path in the line starts with `folder`.
fn names_path(line: &str, folder: &str) -> bool {
    let word =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '~' | '>');
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(|c| c.is_alphanumeric() || "_-".contains(c))
    })
}

#[test]
fn documents_name_no_machine_paths() -> Result<(), Findings> {
    let mut findings =
        Findings::of("absolute path of one machine: say it relative to the repository");
    let endings = [".md", ".toml", ".py", ".sh", ".json", ".ci/run"];
    for file in repo::files_ending(&endings) {
        for (at, line) in repo::read(&file).lines().enumerate() {
            for folder in MACHINE.iter().filter(|folder| names_path(line, folder)) {
                findings.add(&file, at + 1, format!("{folder} in: {}", line.trim()));
            }
        }
    }
    findings.none()
}

#[test]
fn a_machine_path_is_found() {
    let [work, ..] = MACHINE;
    assert!(names_path(&format!("see `{work}/notes`"), work));
    assert!(names_path(&format!("in {work}"), work));
    assert!(!names_path(&format!("tests{work}/notes"), work));
    assert!(!names_path(&format!("{work}ers"), work));
}

/// Why a decision record at `file` does not pass.
fn record_breaches(file: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let name = file.rsplit('/').next().unwrap_or(file);
    let digits = name.chars().take_while(char::is_ascii_digit).count();
    if digits != 4 || !name[4..].starts_with('-') {
        breaches.push("name it NNNN-what-was-decided.md".into());
    }
    for heading in ["Context", "Decision", "Critique"] {
        let is_it = |line: &str| {
            line.starts_with('#') && line.trim_start_matches('#').trim_start().starts_with(heading)
        };
        if !text.lines().any(is_it) {
            breaches.push(format!("lacks the heading {heading}"));
        }
    }
    breaches
}

#[test]
fn decision_records_are_whole() -> Result<(), Findings> {
    let mut findings = Findings::of("decision record without its parts");
    let mut numbers = Vec::new();
    let record =
        |file: &String| file.starts_with("docs/decisions/") && !file.ends_with("/README.md");
    for file in repo::files_ending(&[".md"]).into_iter().filter(record) {
        for what in record_breaches(&file, &repo::read(&file)) {
            findings.add(&file, 1, what);
        }
        let number: String =
            file["docs/decisions/".len()..].chars().take_while(char::is_ascii_digit).collect();
        if numbers.contains(&number) {
            findings.add(&file, 1, format!("the number {number} is taken"));
        }
        numbers.push(number);
    }
    findings.none()
}

#[test]
fn a_record_without_critique_is_found() {
    let text = "# 1. One door\n\n## Context\n\n## Decision\n";
    assert_eq!(record_breaches("docs/decisions/0001-one-door.md", text).len(), 1);
    assert_eq!(record_breaches("docs/decisions/one.md", text).len(), 2);
}
