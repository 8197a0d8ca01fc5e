//! Which crate may use which. A crate that is not in the table fails until it is.

use cargo_metadata::DependencyKind;

use dray_tidy::findings::Findings;
use dray_tidy::{repo, source, workspace};

/// Name, and what it may depend on. `EVERYTHING` is for tests and tools.
const ARROWS: [(&str, &[&str]); 22] = [
    ("dray-io", &[]),
    ("dray-wire", &[]),
    ("dray-core", &["dray-wire"]),
    ("dray-link", &[]),
    ("dray-store", &[]),
    ("dray-client", &["dray-wire", "dray-link"]),
    ("dray-server", &["dray-wire", "dray-core", "dray-link", "dray-store"]),
    ("dray-ring", &["dray-io"]),
    ("dray-fs", &["dray-io"]),
    ("dray-archive", &["dray-io"]),
    ("dray-mover", &["dray-io", "dray-archive"]),
    ("dray-holder", &["dray-io", "dray-fs", "dray-mover"]),
    ("dray-node", NODE),
    ("dray-results", &[]),
    ("dray-device", &["dray-io", "dray-ring", "dray-fs", "dray-results"]),
    ("dray-bench", &["dray-wire", "dray-server", "dray-store", "dray-results", "dray-device"]),
    ("dray-tuning", &["dray-io", "dray-ring", "dray-fs", "dray-link", "dray-node", "dray-results"]),
    ("dray-cli", CLI),
    ("dray-sim", &["dray-io"]),
    ("dray-e2e", EVERYTHING),
    ("dray-tidy", EVERYTHING),
    ("xtask", EVERYTHING),
];

const EVERYTHING: &[&str] = &["*"];

/// Where engine and coordinator meet.
const NODE: &[&str] = &[
    "dray-io",
    "dray-ring",
    "dray-fs",
    "dray-holder",
    "dray-mover",
    "dray-archive",
    "dray-wire",
    "dray-link",
    "dray-store",
    "dray-client",
    "dray-server",
];

const CLI: &[&str] = &[
    "dray-io",
    "dray-fs",
    "dray-archive",
    "dray-mover",
    "dray-wire",
    "dray-link",
    "dray-client",
    "dray-node",
    "dray-bench",
    "dray-device",
    "dray-results",
    "dray-tuning",
];

/// Further arrows of tests inside a crate.
const DEV_ARROWS: [(&str, &[&str]); 5] = [
    ("dray-server", &["dray-client"]),
    // Its tests turn on its own samples.
    ("dray-wire", &["dray-wire"]),
    ("dray-archive", &["dray-sim"]),
    ("dray-mover", &["dray-sim"]),
    // Counting allocations and copies takes unsafe code, which only the ring may have.
    ("dray-ring", &["dray-archive", "dray-mover", "dray-node"]),
];

fn row<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed)
}

fn allowed(name: &str, kind: DependencyKind, target: &str) -> bool {
    let has = |list: Option<&[&str]>| {
        list.is_some_and(|list| list == EVERYTHING || list.contains(&target))
    };
    has(row(&ARROWS, name)) || (kind == DependencyKind::Development && has(row(&DEV_ARROWS, name)))
}

#[test]
fn crates_depend_only_along_the_arrows() -> Result<(), Findings> {
    let mut findings = Findings::of("dependency against the arrows of ARCHITECTURE.md");
    let metadata = workspace::metadata().unwrap();
    let members = metadata.workspace_packages();
    let internal = |name: &str| members.iter().any(|member| *member.name == name);
    for package in &members {
        let manifest = workspace::relative(package.manifest_path.as_str());
        let name = package.name.as_str();
        if row(&ARROWS, name).is_none() {
            findings.add(&manifest, 1, format!("{name} is not in the table of arrows.rs"));
        }
        for dependency in package.dependencies.iter().filter(|it| internal(&it.name)) {
            let target = dependency.name.as_str();
            if !allowed(name, dependency.kind, target) {
                let text = repo::read(&manifest);
                let at = text.lines().position(|line| source::has_word(line, target));
                let may = row(&ARROWS, name).unwrap_or_default().join(", ");
                findings.add(
                    &manifest,
                    at.unwrap_or(0) + 1,
                    format!("{name} may not use {target} ({}); it may: {may}", dependency.kind),
                );
            }
        }
    }
    findings.none()
}

#[test]
fn only_tests_see_the_simulator() {
    use DependencyKind::{Development, Normal};
    assert!(!allowed("dray-mover", Normal, "dray-sim"));
    assert!(allowed("dray-mover", Development, "dray-sim"));
    assert!(!allowed("dray-node", Development, "dray-sim"));
    assert!(allowed("dray-e2e", Normal, "dray-sim"));
}

#[test]
fn arrows_do_not_run_in_circles() {
    // The table is in an order in which each crate uses only crates above it; tests come last.
    for (at, (name, list)) in ARROWS.iter().enumerate() {
        for target in list.iter().filter(|target| **target != "*") {
            let above = ARROWS[..at].iter().any(|(known, _)| known == target);
            assert!(above, "{name} uses {target}, which is not above it in the table");
        }
    }
}
