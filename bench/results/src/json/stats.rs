//! fio's figures from counts and histograms.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fio::{Job, Side, Sync, Times};
use crate::latencies::Latencies;
use crate::model::{Directions, Interval, Kind, Phase};
use crate::series;

/// fio's list, and two further.
const PERCENTILES: [f64; 19] = [
    1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95,
    99.99, 99.995, 99.999,
];

/// Upper ends of fio's classes of latency; those of ms have one more.
const CLASSES: [u64; 10] = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];

pub(super) fn job(phase: &Phase, host: &str) -> Job {
    let runtime = phase.runtime.as_secs_f64();
    let share =
        |time: Duration| if runtime > 0.0 { 100.0 * time.as_secs_f64() / runtime } else { 0.0 };
    let [latency_ns, latency_us, latency_ms] = classes(&phase.total);
    Job {
        jobname: phase.name.clone(),
        hostname: host.to_owned(),
        job_start: super::since_1970(phase.started).as_millis() as u64,
        error: phase.error.as_ref().map_or_else(
            || if found_wrong(phase) { i64::from(damage()) } else { 0 },
            |error| i64::from(error.errno.unwrap_or(damage())),
        ),
        elapsed: runtime.ceil() as u64,
        options: phase.options.clone(),
        read: side(phase, Kind::Read),
        write: side(phase, Kind::Write),
        sync: Sync {
            total_ios: phase.total.flush.ios,
            lat_ns: times(phase.total.flush.response()),
        },
        job_runtime: phase.runtime.as_millis() as u64,
        usr_cpu: share(phase.user),
        sys_cpu: share(phase.system),
        ctx: phase.voluntary_switches + phase.involuntary_switches,
        latency_ns,
        latency_us,
        latency_ms,
        ..Job::default()
    }
}

fn found_wrong(phase: &Phase) -> bool {
    phase.verified.as_ref().is_some_and(|found| found.wrong > 0)
}

/// What `error` says where data was wrong and the kernel reported nothing.
fn damage() -> i32 {
    rustix::io::Errno::IO.raw_os_error()
}

fn side(phase: &Phase, kind: Kind) -> Side {
    let of = phase.total.of(kind);
    if of.is_unused() {
        return Side::default();
    }
    let seconds = phase.runtime.as_secs_f64();
    let per_second = |amount: u64| if seconds > 0.0 { amount as f64 / seconds } else { 0.0 };
    let kib = series::Spread::of(
        full(phase).map(|it| series::rate(it.directions.of(kind).bytes, it) / 1024.0),
    );
    let ios =
        series::Spread::of(full(phase).map(|it| series::rate(it.directions.of(kind).ios, it)));
    let all: u64 = Kind::ALL.iter().map(|kind| phase.total.of(*kind).bytes).sum();
    let bandwidth = per_second(of.bytes);
    Side {
        io_bytes: of.bytes,
        io_kbytes: of.bytes >> 10,
        bw_bytes: bandwidth as u64,
        bw: bandwidth as u64 >> 10,
        iops: per_second(of.ios),
        runtime: phase.runtime.as_millis() as u64,
        total_ios: of.ios,
        short_ios: of.short,
        drop_ios: 0,
        slat_ns: Times::default(),
        clat_ns: times(&of.service),
        lat_ns: times(of.response()),
        bw_min: kib.min as u64,
        bw_max: kib.max as u64,
        bw_agg: if all > 0 { 100.0 * of.bytes as f64 / all as f64 } else { 0.0 },
        bw_mean: kib.mean,
        bw_dev: kib.deviation,
        bw_samples: kib.count,
        iops_min: ios.min as u64,
        iops_max: ios.max as u64,
        iops_mean: ios.mean,
        iops_stddev: ios.deviation,
        iops_samples: ios.count,
    }
}

/// The intervals but a short last one, whose rate would count for as much as the others'.
fn full(phase: &Phase) -> impl Iterator<Item = &Interval> {
    series::full(&phase.intervals).iter()
}

fn times(latencies: &Latencies) -> Times {
    let histogram = latencies.histogram();
    if histogram.is_empty() {
        return Times::default();
    }
    let percentile =
        |percent: &f64| (format!("{percent:.6}"), histogram.value_at_quantile(percent / 100.0));
    Times {
        min: histogram.min(),
        max: histogram.max(),
        mean: histogram.mean(),
        stddev: histogram.stdev(),
        count: histogram.len(),
        percentile: PERCENTILES.iter().map(percentile).collect(),
    }
}

/// Shares of reads and writes by response time.
fn classes(total: &Directions) -> [BTreeMap<String, f64>; 3] {
    let mut all = Latencies::default();
    all.add(total.read.response());
    all.add(total.write.response());
    let histogram = all.histogram();
    let count = histogram.len().max(1) as f64;
    let mut maps = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    let mut below = 0;
    for (map, unit) in maps.iter_mut().zip([1, 1_000, 1_000_000]) {
        let more = if unit == 1_000_000 { Some(2000) } else { None };
        for end in CLASSES.into_iter().chain(more) {
            let until = histogram.count_between(0, end * unit);
            map.insert(end.to_string(), 100.0 * (until.max(below) - below) as f64 / count);
            below = until.max(below);
        }
    }
    maps[2].insert(">=2000".into(), 100.0 * (histogram.len() - below) as f64 / count);
    maps
}
