//! No dead files: each `.rs` file of a crate is a target of it or is reached by `mod` from one.

use std::collections::BTreeSet;

use dray_tidy::findings::Findings;
use dray_tidy::source::{self, Line};
use dray_tidy::{repo, workspace};

/// The module a line declares to be in another file.
fn declared(line: &Line) -> Option<&str> {
    let code = line.code.trim().strip_suffix(';')?;
    let (before, name) = code.rsplit_once(' ').unwrap_or(("", code));
    let is_mod = before == "mod" || before.ends_with(" mod");
    is_mod.then(|| name.strip_prefix("r#").unwrap_or(name))
}

/// The file named by a `path` attribute.
fn path_attribute(line: &Line) -> Option<&str> {
    let value = line.raw.trim().strip_prefix("#[path")?.split('"').nth(1);
    value.filter(|_| !line.code.trim().is_empty())
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `folder/relative` with `..` taken out.
fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Adds `file` and all files its `mod` declarations reach. `children` is the folder they lie in.
fn reach(
    file: String,
    children: &str,
    read: &dyn Fn(&str) -> Option<String>,
    seen: &mut BTreeSet<String>,
) {
    let Some(text) = read(&file) else { return };
    if !seen.insert(file.clone()) {
        return;
    }
    let mut moved_to = None;
    for line in source::split(&text) {
        if let Some(path) = path_attribute(&line) {
            moved_to = Some(join(folder_of(&file), path));
        }
        let Some(name) = declared(&line) else { continue };
        let below = format!("{children}/{name}");
        if let Some(path) = moved_to.take() {
            let children = folder_of(&path).to_owned();
            reach(path, &children, read, seen);
        } else {
            reach(format!("{below}.rs"), &below, read, seen);
            reach(format!("{below}/mod.rs"), &below, read, seen);
        }
    }
}

#[test]
fn no_file_is_dead() -> Result<(), Findings> {
    let mut findings = Findings::of("no `mod` declaration reaches this file");
    let files = repo::files_ending(&[".rs"]);
    let read = |file: &str| files.iter().any(|known| known == file).then(|| repo::read(file));
    let metadata = workspace::metadata().unwrap();
    let packages = metadata.workspace_packages();
    // Also of crates that are workspaces of their own.
    let manifests = repo::files_ending(&["/Cargo.toml"]);
    let folders: Vec<&str> =
        manifests.iter().filter_map(|path| path.strip_suffix("Cargo.toml")).collect();
    for package in packages {
        let folder = format!("{}/", workspace::folder(package));
        let mut seen = BTreeSet::new();
        for target in &package.targets {
            let root = workspace::relative(target.src_path.as_str());
            let children = folder_of(&root).to_owned();
            reach(root, &children, &read, &mut seen);
        }
        // A file belongs to the innermost crate around it.
        let inner =
            |file: &str| folders.iter().any(|it| it.len() > folder.len() && file.starts_with(it));
        for file in files.iter().filter(|it| it.starts_with(folder.as_str()) && !inner(it)) {
            if !seen.contains(file) {
                findings.add(file, 1, "declare it in its parent, or remove it");
            }
        }
    }
    findings.none()
}

#[test]
fn declarations_are_followed() {
    let files = [
        ("a/src/lib.rs", "pub(crate) mod b;\nmod inline { }\n#[path = \"odd.rs\"]\nmod c;"),
        ("a/src/b.rs", "#[cfg(test)] mod tests;"),
        ("a/src/b/tests.rs", ""),
        ("a/src/odd.rs", ""),
        ("a/src/dead.rs", "mod deader;"),
    ];
    let read = |file: &str| {
        files.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned())
    };
    let mut seen = BTreeSet::new();
    reach("a/src/lib.rs".into(), "a/src", &read, &mut seen);
    let reached: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(reached, ["a/src/b.rs", "a/src/b/tests.rs", "a/src/lib.rs", "a/src/odd.rs"]);
}
