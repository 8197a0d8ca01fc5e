//! The interval log, read back by the library's own reader.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dray_results::{Latencies, Results};
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::made_up::{Shape, phase, run};

#[test]
fn read_back_the_seconds_add_up_to_the_total() {
    let open = Shape { open: true, stall: Some(5), start: 20, ..Shape::default() };
    let run = run("n1", vec![phase("closed loop", Shape::default()), phase("open", open)]);
    let results = Results::of_one(run.clone());
    let log = results.to_hlog();
    let (mut tags, mut sum) = (BTreeSet::new(), Latencies::default());
    let (mut base, mut last) = (None, Duration::ZERO);
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        match entry.expect("the log is well-formed") {
            LogEntry::BaseTime(time) => base = Some(time),
            LogEntry::Interval(line) => {
                let tag = line.tag().expect("every line has one").as_str();
                tags.insert(tag.to_owned());
                assert!(line.start_timestamp() >= last);
                last = line.start_timestamp();
                assert_eq!(line.duration(), Duration::from_secs(1));
                if tag == "open.read.response" {
                    let bytes = BASE64_STANDARD.decode(line.encoded_histogram()).unwrap();
                    let second = Latencies::from_v2(&bytes).unwrap();
                    let largest = second.histogram().max() as f64 / 1e6;
                    assert!((line.max() - largest).abs() < 0.01, "{} {largest}", line.max());
                    sum.add(&second);
                }
            }
            LogEntry::StartTime(_) => {}
        }
    }
    assert_eq!(base, Some(Duration::from_secs(1_800_000_000)));
    assert_eq!(last, Duration::from_secs(31));
    assert_eq!(tags, results.hlog_tags());
    assert!(tags.contains("closed_loop.read.service"), "{tags:?}");
    assert_eq!(sum.histogram(), run.phases[1].total.read.response().histogram());
}
