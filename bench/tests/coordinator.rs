//! The benchmark of the coordinator, small: that it runs to its end and says what it is to say.

#![forbid(unsafe_code)]

use clap::Parser;
use dray_bench::{CoordinatorOptions, CoordinatorReport, run_coordinator};
use serde_json::Value;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: CoordinatorOptions,
}

fn run(more: &[&str]) -> CoordinatorReport {
    let quick = ["bench", "--requests", "20000", "--rounds", "1", "--queue", "0,20000"];
    let rest = ["--archives", "5000", "--restores", "20"];
    let words = quick.iter().chain(&rest).chain(more);
    let options = Arguments::try_parse_from(words).expect("the options are known").options;
    run_coordinator(&options).expect("every request ends")
}

/// Every figure is there and above zero. That all requests ended the benchmark sees to itself.
fn assert_whole(report: &CoordinatorReport) {
    let json = serde_json::to_value(report).expect("a report serialises");
    let figures = [
        "/requests_per_second/median",
        "/enqueue_p99_ns/0",
        "/enqueue_p99_ns/20000",
        "/lengths/1/enqueue/p50_ns",
        "/lengths/1/enqueue_p99_ratio/median",
        "/lengths/1/fill/max_ns",
        "/lengths/1/drain_requests_per_second",
        "/cancel_ns/0/p50_ns",
        "/cancel_ns/20000/p99_ns",
        "/cancel_ns/20000/max_ns",
        "/list_requests_per_second",
        "/restore_wait/idle/p99_ns",
        "/restore_wait/behind/0/p99_ns",
        "/restore_wait/behind/1/p99_ratio",
        "/machine/cpus",
    ];
    for figure in figures {
        let value = json.pointer(figure).and_then(Value::as_f64);
        assert!(value.is_some_and(|value| value > 0.0), "{figure}: {value:?} in {json:#}");
    }
    // So short a round may lie within a clock tick.
    assert!(json.pointer("/coordinator_cpu_s/median").is_some_and(Value::is_number), "{json:#}");
    assert_eq!(json.pointer("/runs").and_then(Value::as_array).map(Vec::len), Some(1));
    assert_eq!(json.pointer("/requests"), Some(&Value::from(20_000)));
    assert!(report.to_string().contains("restore wait"), "{report}");
}

/// One after the other: both look at the memory and the threads of the process.
#[test]
fn by_pairs_of_sockets_and_by_a_listening_one() {
    let report = run(&[]);
    assert_whole(&report);
    let bytes = report.bytes_per_request.expect("something was queued");
    assert!((100.0..1000.0).contains(&bytes), "{bytes} bytes for a request");

    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("dray.sock");
    let report = run(&["--names", "--clients", "3", "--listen", path.to_str().expect("UTF-8")]);
    assert_whole(&report);
}
