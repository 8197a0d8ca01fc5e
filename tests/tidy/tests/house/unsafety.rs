//! Where `unsafe` may stand, and that each use says why it is sound.

use cargo_metadata::TargetKind;

use dray_tidy::findings::Findings;
use dray_tidy::source::{self, Line, has_word};
use dray_tidy::{repo, workspace};

/// The keyword; spelt once so that no rule trips over this file.
const KEYWORD: &str = "unsafe";

fn may_hold_it(file: &str) -> bool {
    ["engine/ring/", "engine/fs/src/ffi/"].iter().any(|folder| file.starts_with(folder))
        || file == "engine/fs/src/ffi.rs"
}

#[test]
fn it_stands_only_in_its_two_places() -> Result<(), Findings> {
    let mut findings = Findings::of("unsafe code outside engine/ring and engine/fs/src/ffi");
    for file in repo::files_ending(&[".rs"]).iter().filter(|file| !may_hold_it(file)) {
        for (at, line) in source::split(&repo::read(file)).iter().enumerate() {
            if has_word(&line.code, KEYWORD) {
                findings.add(file, at + 1, line.raw.trim());
            }
        }
    }
    findings.none()
}

/// Whether line `at` opens a block or an impl.
fn opens(line: &Line, next: Option<&Line>) -> bool {
    let joined = format!("{} {}", line.code, next.map_or("", |next| next.code.as_str()));
    line.code.match_indices(KEYWORD).any(|(start, word)| {
        let rest = joined[start + word.len()..].trim_start();
        rest.starts_with('{') || rest.starts_with("impl")
    })
}

/// The reason may stand on the line, above it, or above the statement the line belongs to.
fn has_reason(lines: &[Line], at: usize) -> bool {
    let mark = "SAFETY:";
    if lines[at].comment.contains(mark) {
        return true;
    }
    for line in lines[..at].iter().rev() {
        let code = line.code.trim();
        let starts_statement = code.ends_with([';', '{', '}']);
        if starts_statement || (code.is_empty() && line.comment.is_empty()) {
            return false;
        }
        if line.comment.contains(mark) {
            return true;
        }
    }
    false
}

fn without_reason(text: &str) -> Vec<usize> {
    let lines = source::split(text);
    let bare = |at: &usize| opens(&lines[*at], lines.get(at + 1)) && !has_reason(&lines, *at);
    (0..lines.len()).filter(bare).map(|at| at + 1).collect()
}

#[test]
fn each_block_has_its_reason() -> Result<(), Findings> {
    let mut findings = Findings::of("unsafe block or impl without a SAFETY comment above it");
    for file in repo::files_ending(&[".rs"]) {
        for line in without_reason(&repo::read(&file)) {
            findings.add(&file, line, "say after `// SAFETY:` why this is sound");
        }
    }
    findings.none()
}

#[test]
fn a_block_without_reason_is_found() {
    let block = format!("let x = {KEYWORD} {{ f() }};");
    assert_eq!(without_reason(&block), [1]);
    assert_eq!(without_reason(&format!("// SAFETY: f is sound.\n{block}")), [0; 0]);
    assert_eq!(without_reason(&format!("// SAFETY: old.\ng();\n{block}")), [3]);
    assert_eq!(without_reason(&format!("#![deny({KEYWORD}_code)]")), [0; 0]);
}

#[test]
fn every_crate_refuses_it_at_its_root() -> Result<(), Findings> {
    let mut findings = Findings::of("crate root without its lint against unsafe code");
    for package in workspace::metadata().unwrap().workspace_packages() {
        let level = match package.name.as_str() {
            "dray-ring" => continue,
            "dray-fs" => "deny",
            _ => "forbid",
        };
        let attribute = format!("#![{level}({KEYWORD}_code)]");
        for target in &package.targets {
            let is_root = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::Bin);
            if target.kind.iter().any(is_root) {
                let file = workspace::relative(target.src_path.as_str());
                let lines = source::split(&repo::read(&file));
                if !lines.iter().any(|line| line.code.trim() == attribute) {
                    findings.add(&file, 1, format!("lacks {attribute}"));
                }
            }
        }
    }
    findings.none()
}
