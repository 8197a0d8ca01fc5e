//! `.hgrm` against what the reference implementation makes of the same histograms.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dray_results::{Latencies, hgrm};

use crate::made_up::{Shape, phase};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/results/golden")
}

/// Of many shapes: one value, a stall, everything alike, the extremes.
fn samples() -> Vec<(&'static str, Latencies)> {
    let mut one = Latencies::default();
    one.record(123_456);
    let mut alike = Latencies::default();
    alike.record_n(1_000_000, 1_000_000);
    let mut extremes = Latencies::default();
    for ns in [1, 2047, 2048, 2049, 1 << 30, 3_600_000_000_000] {
        extremes.record(ns);
    }
    let shape = Shape { open: true, stall: Some(5), ..Shape::default() };
    let mut stalled = phase("stalled", shape).total.read.response().clone();
    stalled.record_n(7, 3);
    vec![("one", one), ("alike", alike), ("extremes", extremes), ("stalled", stalled)]
}

#[test]
fn equal_to_the_recorded_output_of_the_reference() {
    for (name, _) in samples() {
        let read = |ending: &str| {
            let path = golden().join(format!("{name}.{ending}"));
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
        };
        let bytes = BASE64_STANDARD.decode(read("hdr").trim()).unwrap();
        assert_eq!(hgrm(&Latencies::from_v2(&bytes).unwrap()), read("hgrm"), "{name}");
    }
}

#[test]
fn equal_to_the_reference_where_it_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, latencies) in samples() {
        let text = BASE64_STANDARD.encode(latencies.to_v2());
        std::fs::write(dir.path().join(format!("{name}.hdr")), text).unwrap();
    }
    let script = golden().join("make.js");
    let found = Command::new("node").arg("-e").arg("require('hdr-histogram-js')").output();
    if !found.is_ok_and(|found| found.status.success()) {
        println!(
            "skipped: the reference is not there; npm install hdr-histogram-js, and NODE_PATH"
        );
        return;
    }
    let made = Command::new("node").arg(script).arg(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for (name, latencies) in samples() {
        let theirs = std::fs::read_to_string(dir.path().join(format!("{name}.hgrm"))).unwrap();
        assert_eq!(hgrm(&latencies), theirs, "{name}");
    }
}

#[test]
fn nothing_recorded() {
    let text = hgrm(&Latencies::default());
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("Total count    =            0]"), "{text}");
}
