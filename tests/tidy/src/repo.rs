//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the repository.
pub fn root() -> PathBuf {
    // Asked at run time: with one target directory for two copies of the repository the path
    // from compile time may be that of the other.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    here.ancestors().nth(2).expect("this crate lies two folders below the top").to_path_buf()
}

/// Every file that is or would be committed, relative to the top, sorted.
pub fn files() -> Vec<String> {
    let root = root();
    let mut files = from_git(&root).unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(&root, "", &mut found);
        found
    });
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    assert!(files.iter().any(|file| file == "Cargo.toml"), "no files found below {root:?}");
    files
}

/// Files whose name ends in one of `endings`.
pub fn files_ending(endings: &[&str]) -> Vec<String> {
    let mut files = files();
    files.retain(|file| endings.iter().any(|ending| file.ends_with(ending)));
    files
}

pub fn read(file: &str) -> String {
    let bytes = fs::read(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn from_git(root: &Path) -> Option<Vec<String>> {
    let out = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let files: Vec<String> =
        text.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect();
    (out.status.success() && !files.is_empty()).then_some(files)
}

/// For a copy of the tree without its git directory.
fn walk(root: &Path, below: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), ".git" | "target" | "__pycache__") {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}
