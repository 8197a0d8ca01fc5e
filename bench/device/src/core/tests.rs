use std::sync::atomic::AtomicBool;

use dray_io::{Fixed, Flush, Ring};
use hdrhistogram::Histogram;

use super::simulated::{SimClock, SimDevice};
use super::{Core, Outcome, Shape};
use crate::error::Cause;
use crate::pace::Pace;
use crate::sizes::Sizes;
use crate::source::{Fill, Load, Source, Span};
use crate::tally::{Kind, Tally};

const US: u64 = 1000;
const MS: u64 = 1000 * US;
const SECOND: u64 = 1000 * MS;

fn load(read_percent: u32) -> Load {
    Load {
        read_percent,
        random: true,
        cover: true,
        read_sizes: Sizes::one(4096),
        write_sizes: Sizes::one(4096),
        flush: None,
        fill: Fill::Zeros,
        seed: 5,
    }
}

fn shape(depth: u32, time: u64) -> Shape {
    Shape {
        depth,
        submit: depth,
        complete_min: 1,
        pace: Pace::Closed,
        ramp: 0,
        time: Some(time),
        ios: None,
        bytes: None,
        seed: 5,
    }
}

struct Ran {
    outcome: Outcome,
    total: Tally,
    intervals: u64,
    device: SimDevice,
}

impl Ran {
    fn response(&self) -> &Histogram<u64> {
        self.total.read.response.as_ref().expect("the loop was open")
    }
}

/// 32 servers of 100 us each: at most 320,000 per second.
fn device(clock: &SimClock, shape: &Shape) -> SimDevice {
    SimDevice::new(clock, shape.depth, 32, 100 * US)
}

fn run(shape: &Shape, load: &Load, change: impl FnOnce(&mut SimDevice)) -> Ran {
    let clock = SimClock::default();
    let mut device = device(&clock, shape);
    change(&mut device);
    let open = shape.pace != Pace::Closed;
    let (mut total, mut intervals) = (Tally::new(open), 0);
    let mut sink = |interval: u64, tally: &mut Box<Tally>| {
        total.add(tally);
        tally.clear();
        intervals = interval + 1;
    };
    let mut work = Source::new(load, &[Span { from: 0, to: 1 << 30 }], 0, 1);
    let core = Core {
        ring: &mut device,
        clock: &clock,
        work: &mut work,
        files: &[Fixed(0)],
        shape,
        stop: &AtomicBool::new(false),
        sink: &mut sink,
    };
    let outcome = core.run(1000).expect("the ring can be entered");
    Ran { outcome, total, intervals, device }
}

#[test]
fn a_closed_loop_keeps_its_depth_and_no_more() {
    let ran = run(&shape(8, 2 * SECOND), &load(100), |_| {});
    assert_eq!(ran.device.most_under_way, 8);
    let expected = 8.0 * 2.0 * SECOND as f64 / (100 * US) as f64;
    assert!((ran.total.ios() as f64 / expected - 1.0).abs() < 0.01, "{}", ran.total.ios());
    let median = ran.total.read.service.value_at_quantile(0.5);
    assert!((100 * US..101 * US).contains(&median), "{median}");
    assert_eq!(ran.intervals, 2);
}

#[test]
fn deeper_than_the_device_is_waiting_in_it() {
    let ran = run(&shape(64, SECOND), &load(100), |_| {});
    let median = ran.total.read.service.value_at_quantile(0.5);
    assert!((190 * US..210 * US).contains(&median), "{median}");
}

#[test]
fn what_the_ramp_does_is_not_counted() {
    let with = Shape { ramp: SECOND, ..shape(8, SECOND) };
    let ran = run(&with, &load(100), |device| device.stall = (0, 900 * MS));
    assert!(ran.total.read.service.max() < 110 * US);
    assert!(ran.total.ios() > 79_000 && ran.total.ios() < 80_100, "{}", ran.total.ios());
    assert!(ran.device.counters().reads > ran.total.ios());
}

#[test]
fn numbers_and_bytes_end_the_work() {
    let ios = Shape { time: None, ios: Some(1001), ..shape(8, 0) };
    assert_eq!(run(&ios, &load(100), |_| {}).total.ios(), 1001);
    let bytes = Shape { time: None, bytes: Some(10 * 4096), ..shape(8, 0) };
    assert_eq!(run(&bytes, &load(0), |_| {}).total.write.ios, 10);
}

#[test]
fn batches_are_submitted_and_awaited() {
    let batched = Shape { submit: 4, complete_min: 4, ..shape(16, SECOND) };
    let ran = run(&batched, &load(100), |_| {});
    let per_call = ran.total.ios() as f64 / ran.outcome.enters as f64;
    assert!((3.5..4.5).contains(&per_call), "{per_call} requests per call");
}

/// The stall is 500 ms, and the load 80 % of what the device does with 8 servers.
fn stalled(pace: Pace) -> Ran {
    let open = Shape { pace, ..shape(64, 10 * SECOND) };
    run(&open, &load(100), |device| {
        device.servers.truncate(8);
        device.stall = (4 * SECOND, 4 * SECOND + 500 * MS);
    })
}

#[test]
fn a_stall_shows_in_the_response_and_not_in_the_service() {
    for pace in [Pace::Linear(64_000.0), Pace::Poisson(64_000.0)] {
        let ran = stalled(pace);
        let service = ran.total.read.service.value_at_quantile(0.999);
        let response = ran.response().value_at_quantile(0.999);
        assert!(service < MS, "{pace:?}: service {service}");
        assert!(response > 450 * MS, "{pace:?}: response {response}");
        assert_eq!((ran.outcome.dropped, ran.outcome.left > 640), (0, false));
        let asked = 10.0 * pace.rate().expect("an open loop has one");
        assert!((ran.total.ios() as f64 / asked - 1.0).abs() < 0.01, "{}", ran.total.ios());
    }
}

#[test]
fn what_came_during_a_stall_beyond_the_end_is_not_lost() {
    let open = Shape { pace: Pace::Linear(8000.0), ..shape(8, 2 * SECOND) };
    let ran = run(&open, &load(100), |device| device.stall = (SECOND, 4 * SECOND));
    assert_eq!((ran.total.ios() + ran.outcome.left, ran.outcome.dropped), (16_000, 0));
    assert!(ran.outcome.left > 7900, "{} waited", ran.outcome.left);
}

#[test]
fn without_a_stall_response_is_service_but_for_chance() {
    let open = Shape { pace: Pace::Linear(10_000.0), ..shape(64, SECOND) };
    let ran = run(&open, &load(100), |_| {});
    let response = ran.response().value_at_quantile(0.99);
    assert!((100 * US..130 * US).contains(&response), "{response}");
}

#[test]
fn a_rate_beyond_the_device_is_told() {
    let open = Shape { pace: Pace::Linear(640_000.0), ..shape(64, SECOND) };
    let ran = run(&open, &load(100), |_| {});
    assert!(ran.outcome.left > 300_000, "{} waited", ran.outcome.left);
    assert_eq!(ran.outcome.dropped, 0);
}

#[test]
fn flushes_come_after_so_many_writes() {
    let with = Load { flush: Some((10, Flush::Data)), ..load(0) };
    let ran = run(&Shape { time: None, ios: Some(105), ..shape(4, 0) }, &with, |_| {});
    assert_eq!((ran.total.write.ios, ran.total.flush.ios), (105, 10));
}

#[test]
fn a_failed_request_ends_the_run_and_is_named() {
    let at = 77 * 4096;
    let ran = run(&shape(8, 60 * SECOND), &load(100), |device| device.broken = Some(at));
    let failure = ran.outcome.failure.expect("one request failed");
    assert_eq!((failure.io.kind, failure.io.at, failure.io.len), (Kind::Read, at, 4096));
    assert!(matches!(failure.cause, Cause::Kernel(error) if error.raw_os_error() == Some(5)));
    assert_eq!(ran.total.read.errors, 1);
    assert!(ran.total.ios() > 0, "what was measured before is kept");
}

#[test]
fn short_requests_are_counted_and_an_end_is_a_failure() {
    let ran = run(&shape(8, 8 * SECOND), &load(100), |device| device.short = Some((4096, 512)));
    assert!(ran.total.read.short >= 1 && ran.outcome.failure.is_none());
    let ran = run(&shape(8, 8 * SECOND), &load(100), |device| device.short = Some((4096, 0)));
    assert!(matches!(ran.outcome.failure.expect("the end").cause, Cause::End));
}
