//! `dray bench engines`: other engines beside the ring of dray.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use dray_e2e::{Output, Place, binary, command, skip};
use serde_json::Value;

const ENGINES: [&str; 4] = ["ring", "tokio-uring", "glommio", "threads"];
const SMALL: [&str; 8] =
    ["--size", "8M", "--reads", "2000", "--read-depth", "8", "--copy-depth", "4"];

fn run(dir: &Path, engines: &Path) -> Output {
    let mut run = command(binary());
    run.args(["bench", "engines", "--json"]).args(SMALL);
    run.arg("--dir").arg(dir).arg("--engines").arg(engines);
    Output::of(run)
}

#[test]
fn all_engines_read_and_copy_and_what_they_cost_is_told() {
    let Some(engines) = std::env::var_os("DRAY_ENGINES") else {
        skip(
            "all_engines_read_and_copy_and_what_they_cost_is_told",
            "DRAY_ENGINES names no program",
        );
        return;
    };
    let place = Place::bare();
    let dir = place.path().join("bench");
    std::fs::create_dir(&dir).unwrap();
    // Copies are compared with their source by the benchmark, and a failure is its exit code.
    let json = run(&dir, Path::new(&engines)).expect(0).json();
    let costs = json["costs"].as_array().unwrap();
    for phase in ["read", "copy"] {
        for engine in ENGINES {
            let is = |it: &&Value| it["engine"] == engine && it["phase"] == phase;
            let cost = costs.iter().find(is).unwrap_or_else(|| panic!("{engine} {phase}: {json}"));
            assert!(cost["cpu_s_per_gib"]["median"].as_f64().unwrap() > 0.0, "{cost}");
            // Not every machine lets perf count, and then it is null; never nothing at all.
            let calls = &cost["syscalls_per_gib"];
            assert!(calls.is_null() || calls.as_f64().unwrap() > 100.0, "{cost}");
        }
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "it leaves nothing");
}

#[test]
fn an_engine_that_copies_nothing_is_found_out() {
    let place = Place::bare();
    let idle = place.path().join("idle");
    std::fs::write(&idle, "#!/bin/sh\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&idle, mode).unwrap();
    let output = run(place.path(), &idle).expect(1);
    let failure = output.json()["series"][1]["failure"].to_string();
    assert!(failure.contains("differs"), "{failure}");
}

#[test]
fn without_the_program_it_is_said_how_to_build_it() {
    let place = Place::bare();
    run(place.path(), &place.path().join("none")).expect(1).says("cargo xtask engines");
}
