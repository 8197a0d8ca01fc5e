//! Runs to write, read, merge and compare, made up from a seed.

use std::time::{Duration, UNIX_EPOCH};

use dray_results::{Direction, Directions, Environment, Interval, Latencies, Phase, Run};

/// What a made-up phase looks like.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) seconds: u64,
    /// Reads per second; there are a tenth as many writes.
    pub(crate) rate: u64,
    /// ns, the usual one.
    pub(crate) latency: u64,
    /// A second in which nothing completes until its end, and the response time shows it.
    pub(crate) stall: Option<u64>,
    /// s after 1,800,000,000.
    pub(crate) start: u64,
    pub(crate) open: bool,
    pub(crate) seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        let (seconds, rate, latency) = (12, 2000, 80_000);
        Self { seconds, rate, latency, stall: None, start: 0, open: false, seed: 1 }
    }
}

pub(crate) fn run(host: &str, phases: Vec<Phase>) -> Run {
    let environment = Environment { dray: "0.1.0".into(), ..Environment::default() };
    Run { host: host.into(), environment, phases, partial: None }
}

pub(crate) fn phase(name: &str, shape: Shape) -> Phase {
    let mut noise = Noise(shape.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut intervals: Vec<Interval> =
        (0..shape.seconds).map(|second| interval(second, shape, &mut noise)).collect();
    let mut total = Directions::default();
    for interval in &mut intervals {
        total.add(&interval.directions);
        interval.directions.pack();
    }
    Phase {
        name: name.into(),
        options: [("rw", "randrw"), ("bs", "4096"), ("filename", "/dev/<made up> & \"co\"")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        started: UNIX_EPOCH + Duration::from_secs(1_800_000_000 + shape.start),
        runtime: Duration::from_secs(shape.seconds),
        intervals,
        total,
        user: Duration::from_millis(120 * shape.seconds),
        system: Duration::from_millis(340 * shape.seconds),
        voluntary_switches: 17,
        involuntary_switches: 4,
        depth_seen: 3.75,
        syscalls: 12_345,
        workers: 0,
        target_rate: shape.open.then_some(shape.rate as f64 * 1.1),
        dropped: 0,
        left: 2,
        steady: None,
        verified: None,
        error: None,
        notes: vec!["made up".into()],
    }
}

fn interval(second: u64, shape: Shape, noise: &mut Noise) -> Interval {
    let mut directions = Directions::default();
    // 3 % up and down from second to second.
    let factor = 0.97 + 0.06 * noise.share();
    let reads = (shape.rate as f64 * factor) as u64;
    let stalled = shape.stall == Some(second);
    directions.read = direction(reads, 4096, shape, stalled, noise);
    directions.write = direction(reads / 10, 4096, shape, stalled, noise);
    directions.flush = direction(1, 0, shape, false, noise);
    Interval { start: Duration::from_secs(second), length: Duration::from_secs(1), directions }
}

fn direction(ios: u64, bytes: u64, shape: Shape, stalled: bool, noise: &mut Noise) -> Direction {
    let mut service = Latencies::default();
    let mut response = Latencies::default();
    for at in 0..ios {
        // Mostly near the usual one, with a tail of up to thirty times that.
        let tail = noise.share().powi(30) * 30.0;
        let ns = (shape.latency as f64 * (0.8 + 0.4 * noise.share() + tail)) as u64;
        service.record(ns);
        let waited =
            if stalled && at < ios / 2 { 500_000_000 * (ios / 2 - at) / (ios / 2) } else { 0 };
        response.record(ns + waited);
    }
    let from_intended = shape.open.then_some(response);
    Direction { ios, bytes: ios * bytes, short: 0, errors: 0, service, from_intended }
}

struct Noise(u64);

impl Noise {
    /// Evenly between 0 and 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
