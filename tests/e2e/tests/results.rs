//! Commands on files of results: exit codes, and what is written.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use dray_e2e::{Output, binary, command};
use serde_json::{Value, json};

const FIO: &str = include_str!("../../../bench/results/tests/results/samples/fio-3.33.json");

/// The recorded output of fio, its reads at `factor` times the rate.
fn fio(dir: &Path, name: &str, factor: f64) -> String {
    let mut value: Value = serde_json::from_str(FIO).unwrap();
    let iops = value.pointer_mut("/jobs/0/read/iops").unwrap();
    *iops = Value::from(iops.as_f64().unwrap() * factor);
    let path = dir.join(name);
    fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn bench(words: &[&str]) -> Output {
    let mut dray = command(binary());
    dray.arg("bench").args(words);
    Output::of(dray)
}

#[test]
fn a_comparison_ends_with_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let [before, same, slower, faster] =
        [("before", 1.0), ("same", 0.98), ("slower", 0.9), ("faster", 1.2)]
            .map(|(name, factor)| fio(dir.path(), &format!("{name}.json"), factor));
    for (after, code, threshold) in [
        (&same, 0, "3%"),
        (&slower, 7, "3%"),
        (&slower, 0, "15"),
        (&faster, 0, "3%"),
        (&same, 7, "1%"),
    ] {
        let output = bench(&["compare", &before, after, "--threshold", threshold, "--json"]);
        assert_eq!(output.code, Some(code), "{output:?}");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["verdict"] == "worse", code == 7, "{output:?}");
    }
    // What was not compared is not the same.
    let text = fs::read_to_string(&before).unwrap();
    let [reads, writes] = ["write", "read"].map(|without| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        for side in ["sync", without] {
            *value.pointer_mut(&format!("/jobs/0/{side}")).unwrap() = json!({});
        }
        let path = dir.path().join(format!("without-{without}.json"));
        fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    });
    bench(&["compare", &reads, &writes]).expect(2).says("nothing to compare");
}

#[test]
fn what_is_no_result_is_a_wrong_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let good = fio(dir.path(), "good.json", 1.0);
    let bad = dir.path().join("bad.json");
    fs::write(&bad, &FIO[..FIO.len() / 2]).unwrap();
    let (bad, page) = (bad.to_str().unwrap(), dir.path().join("page.html"));
    let page = page.to_str().unwrap();
    for words in [
        &["compare", &good, bad][..],
        &["compare", &good, "/nowhere.json"],
        &["compare", &good, &good, "--threshold", "much"],
        &["report", bad, "-o", page],
        // fio's files have no histograms to be added or exported.
        &["merge", &good, &good, "-o", page],
        &["export", &good, "--csv", page],
        &["export", &good],
    ] {
        let output = bench(words);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(!Path::new(page).exists(), "{output:?}");
    }
}

#[test]
fn a_report_is_one_file_that_asks_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (fio(dir.path(), "one.json", 1.0), fio(dir.path(), "other.json", 0.5));
    let page = dir.path().join("page.html");
    let output = bench(&["report", &one, &other, "-o", page.to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("one against other") && text.contains("<svg"));
    assert!(!text.contains("://") && !text.contains("<script"));
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}
