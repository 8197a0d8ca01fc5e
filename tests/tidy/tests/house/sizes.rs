//! How long and how big a file may be.

use std::fs;
use std::io::Write as _;

use dray_tidy::findings::Findings;
use dray_tidy::repo;

const LINES: usize = 700;
const LINES_WARN: usize = 400;
const BYTES: u64 = 256 * 1024;

/// Files that may be longer or bigger: path and reason.
const EXCEPTIONS: [(&str, &str); 0] = [];

fn excepted(file: &str) -> bool {
    EXCEPTIONS.iter().any(|(path, _)| *path == file)
}

#[test]
fn no_file_runs_away() -> Result<(), Findings> {
    let mut findings = Findings::of("file too long: split it by concept");
    for file in repo::files_ending(&[".rs", ".py", ".sh"]) {
        let lines = repo::read(&file).lines().count();
        if lines > LINES && !excepted(&file) {
            findings.add(&file, lines, format!("{lines} lines, {LINES} allowed"));
        } else if lines > LINES_WARN {
            // Past the capture of the test harness: a warning is of use only when it is seen.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "warning: {file}:{lines}: {lines} lines, aim for 250");
        }
    }
    findings.none()
}

#[test]
fn no_large_file_is_committed() -> Result<(), Findings> {
    let mut findings = Findings::of("file too big for git: generate it when it is needed");
    for file in repo::files() {
        let bytes = fs::metadata(repo::root().join(&file)).map_or(0, |stat| stat.len());
        if bytes > BYTES && !excepted(&file) {
            findings.add(&file, 1, format!("{bytes} bytes, {BYTES} allowed"));
        }
    }
    findings.none()
}

#[test]
fn exceptions_name_files_that_exist() {
    for (path, reason) in EXCEPTIONS {
        assert!(repo::root().join(path).is_file(), "{path} ({reason}) is gone: drop its exception");
    }
}
