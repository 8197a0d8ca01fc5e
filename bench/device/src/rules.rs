//! Combinations of options that mean nothing or contradict each other: all of them, in one place.

use std::time::Duration;

use crate::error::Refusal;
use crate::options::{DeviceOptions, Engine, RateProcess, Search};

/// Requests under way per core at most: what a ring can have.
const MOST_DEPTH: u32 = 16 * 1024;

/// Arrivals per second and core.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1e7;

/// Of a phase.
const LEAST_TIME: Duration = Duration::from_millis(1);

/// Whether it is broken, and what to say then.
type Rule = (bool, &'static str);

pub(crate) fn check(options: &DeviceOptions) -> Result<(), Refusal> {
    let all =
        [&queue(options)[..], &writes(options)[..], &modes(options)[..], &verify(options)[..]]
            .concat();
    match all.iter().find(|(broken, _)| *broken) {
        Some((_, why)) => Err(Refusal::Options((*why).to_owned())),
        None => Ok(()),
    }
}

fn queue(options: &DeviceOptions) -> [Rule; 9] {
    let DeviceOptions { iodepth, .. } = *options;
    let within = |batch: u32| (1..=iodepth).contains(&batch);
    [
        (iodepth == 0, "--iodepth 0: nothing would be under way"),
        (iodepth > MOST_DEPTH, "--iodepth: a ring holds up to 16384 requests"),
        (options.numjobs == 0, "--numjobs 0: nobody would work"),
        (!within(options.iodepth_batch_submit), "--iodepth_batch_submit is from 1 to --iodepth"),
        (
            !within(options.iodepth_batch_complete_min),
            "--iodepth_batch_complete_min is from 1 to --iodepth",
        ),
        (
            options.ioengine == Engine::Psync && iodepth > 1,
            "--ioengine psync has one request under way per core: no --iodepth",
        ),
        (
            options.rate_iops.is_some_and(|rate| !RATES.contains(&rate)),
            "--rate_iops is from 0.001 to 10000000, which is more than a core can submit",
        ),
        (
            options.runtime.is_some_and(|time| time < LEAST_TIME),
            "--runtime of less than a millisecond: nothing would be measured",
        ),
        (options.number_ios == Some(0), "--number_ios 0: nothing would be measured"),
    ]
}

fn writes(options: &DeviceOptions) -> [Rule; 5] {
    let (writes, mixed) = (options.rw.writes(), options.rw.is_mixed());
    let durable = options.fsync.is_some() || options.fdatasync.is_some() || options.sync;
    let other = options.refill_buffers || options.buffer_compress_percentage > 0;
    [
        (options.rwmixread.is_some() && !mixed, "--rwmixread goes with --rw rw or randrw"),
        (!writes && durable, "--fsync, --fdatasync and --sync go with a workload that writes"),
        (
            !writes && !options.precondition && (options.zero_buffers || other),
            "--zero_buffers, --buffer_compress_percentage and --refill_buffers go with a workload \
             that writes",
        ),
        (
            options.zero_buffers && other,
            "--zero_buffers leaves no room for --refill_buffers or --buffer_compress_percentage",
        ),
        (
            options.fsync == Some(0) || options.fdatasync == Some(0),
            "--fsync and --fdatasync count writes from 1",
        ),
    ]
}

fn modes(options: &DeviceOptions) -> [Rule; 12] {
    let rate = options.rate_iops.is_some();
    let modes = [options.curve.is_some(), options.latency_target.is_some(), options.steady_state];
    let given = modes.iter().filter(|given| **given).count();
    let bounded = options.number_ios.is_some() || options.io_size.is_some();
    let percentile = options.latency_percentile();
    let searches = options.latency_search == Search::Rate;
    let to_files =
        [&options.output, &options.csv, &options.hgrm, &options.log].iter().any(|it| it.is_some());
    [
        (
            options.rate_process == RateProcess::Poisson
                && !rate
                && options.curve.is_none()
                && !searches,
            "--rate_process goes with --rate_iops, --curve or --latency_search rate",
        ),
        (
            options.latency_target.is_none()
                && (searches
                    || options.latency_percentile.is_some()
                    || options.latency_window.is_some()),
            "--latency_percentile, --latency_window and --latency_search go with --latency_target",
        ),
        (
            options.norandommap && !options.rw.is_random(),
            "--norandommap goes with a random workload",
        ),
        (
            !options.against.is_empty() && to_files,
            "--against compares, with --json for programs: no --output, --csv, --hgrm or --log",
        ),
        (
            rate && options.latency_target.is_some(),
            "--rate_iops fixes the load that --latency_target searches for: --latency_search rate \
             searches for a rate",
        ),
        (
            rate && options.curve.is_some(),
            "--rate_iops fixes the load, of which --curve takes several",
        ),
        (
            given > 1,
            "--curve, --latency_target and --steady_state are runs of their own: choose one",
        ),
        (
            given > 0 && (options.runtime.is_none() || bounded),
            "--curve, --latency_target and --steady_state go with --runtime, the time of a phase, \
             and not with --number_ios or --io_size",
        ),
        (
            !(percentile > 0.0 && percentile <= 100.0),
            "--latency_percentile is more than 0 and up to 100",
        ),
        (
            options.latency_target.is_some_and(|target| target.is_zero())
                || options.latency_window().is_zero(),
            "--latency_target and --latency_window are more than 0",
        ),
        (
            given > 0 && !options.against.is_empty(),
            "--against compares one phase: no --curve, --latency_target or --steady_state",
        ),
        (
            !options.against.is_empty() && options.runtime.is_none(),
            "--against goes with --runtime: all work for the same time",
        ),
    ]
}

fn verify(options: &DeviceOptions) -> [Rule; 7] {
    let verify = options.verify || options.verify_only;
    let modes = options.curve.is_some()
        || options.latency_target.is_some()
        || options.steady_state
        || !options.against.is_empty();
    let data =
        options.zero_buffers || options.refill_buffers || options.buffer_compress_percentage > 0;
    let part = options.size.is_some() || options.offset > 0 || options.bs.is_some();
    let some = options.number_ios.is_some() || options.io_size.is_some();
    let timed = options.runtime.is_some() || options.rate_iops.is_some();
    [
        (options.verify_state.is_some() && !verify, "--verify_state goes with --verify"),
        (
            options.verify && (!options.rw.writes() || options.rw.is_mixed()),
            "--verify goes with --rw write or randwrite; it reads back by itself",
        ),
        (options.verify_only && options.rw.writes(), "--verify_only does not write: --rw read"),
        (
            options.verify_only && (part || some || timed),
            "--verify_only reads all that the state lists, in requests of its size: no --size, \
             --offset, --bs, --number_ios, --io_size, --runtime or --rate_iops",
        ),
        (verify && modes, "--verify is a run of its own: no --curve, --against and the like"),
        (verify && data, "--verify has data of its own: no --zero_buffers and the like"),
        (
            verify && (options.bssplit.is_some() || options.bs().contains(',')),
            "--verify goes with one size of requests",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::plan::Plan;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: DeviceOptions,
    }

    /// The plan for CPUs 0 and 1, or why there is none.
    fn plan(words: &str) -> Result<Plan, String> {
        let words = ["device", "--filename", "/dev/x"].into_iter().chain(words.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        Plan::new(&line.options, &[0, 1]).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let table = [
            ("--iodepth 0", "nothing would be under way"),
            ("--iodepth 20000", "up to 16384"),
            ("--numjobs 0", "nobody would work"),
            ("--numjobs 3", "there are 2 CPUs"),
            ("--cpus_allowed 7", "may not use CPU 7"),
            ("--cpus_allowed x", "numbers and ranges"),
            ("--iodepth 4 --iodepth_batch_submit 5", "from 1 to --iodepth"),
            ("--iodepth 4 --iodepth_batch_complete_min 0", "from 1 to --iodepth"),
            ("--iodepth 16384 --bs 1g", "memory"),
            ("--rwmixread 50", "goes with --rw rw"),
            ("--rw rw --rwmixread 101", "101"),
            ("--rw randread --fsync 1", "writes"),
            ("--rw read --fdatasync 4", "writes"),
            ("--sync", "writes"),
            ("--rw write --fsync 1 --fdatasync 1", "cannot be used with"),
            ("--rw write --fsync 0", "from 1"),
            ("--zero_buffers", "writes"),
            ("--rw write --zero_buffers --refill_buffers", "no room"),
            ("--bs 4k --bssplit 4k/100", "cannot be used with"),
            ("--bs 0", "out of range"),
            ("--bs 2g", "up to 1 GiB"),
            ("--bssplit 4k/60:8k/30", "sum to 90"),
            ("--size 0%", "1% to 100%"),
            ("--rate_iops 0", "from 0.001"),
            ("--rate_iops nan", "from 0.001"),
            ("--rate_iops 1e18", "more than a core"),
            ("--runtime 1us", "nothing would be measured"),
            ("--ioengine psync --iodepth 2", "one request"),
            ("--rate_process poisson", "goes with --rate_iops"),
            ("--latency_percentile 50", "go with --latency_target"),
            ("--latency_search rate", "go with --latency_target"),
            ("--rw read --norandommap", "random workload"),
            ("--verify_state f", "goes with --verify"),
            ("--against fio --runtime 1 --csv f", "no --output"),
            ("--runtime 0", "nothing would be measured"),
            ("--number_ios 0", "nothing would be measured"),
            ("--rate_iops 5 --latency_target 1ms --runtime 1", "fixes the load"),
            ("--rate_iops 5 --curve --runtime 1", "fixes the load"),
            ("--curve --steady_state --runtime 1", "choose one"),
            ("--curve", "go with --runtime"),
            ("--steady_state --runtime 1 --number_ios 5", "go with --runtime"),
            ("--latency_target 1ms --latency_percentile 0 --runtime 1", "more than 0"),
            ("--latency_target 0 --runtime 1", "more than 0"),
            ("--against fio", "goes with --runtime"),
            ("--against fio --curve --runtime 1", "compares one phase"),
            ("--rounds 3", "required"),
            ("--verify", "goes with --rw write"),
            ("--verify --rw randrw", "goes with --rw write"),
            ("--verify_only", "required"),
            ("--verify_only --verify_state f --rw write", "does not write"),
            ("--verify_only --verify_state f --size 1m", "all that the state lists"),
            ("--verify_only --verify_state f --bs 4k", "all that the state lists"),
            ("--latency_percentile 99", "go with --latency_target"),
            ("--verify --rw write --steady_state --runtime 1", "run of its own"),
            ("--verify --rw write --zero_buffers", "data of its own"),
            ("--verify --rw write --bssplit 4k/50:8k/50", "one size"),
            ("--filename a::b", "empty"),
            ("--direct 2", "2"),
        ];
        for (words, reason) in table {
            let refusal = plan(words).expect_err(words);
            assert!(refusal.contains(reason), "{words}: {refusal}");
        }
    }

    #[test]
    fn what_can_be_is_taken() {
        for words in [
            "",
            "--rw randrw --rwmixread 70 --bssplit 4k/60:64k/40 --iodepth 32 --numjobs 2",
            "--rw write --bs 1m,64k --fdatasync 8 --runtime 2m --ramp_time 500ms",
            "--rate_iops 1000 --rate_process poisson --runtime 5 --time_based",
            "--curve 10,50,90 --runtime 1 --rate_process poisson",
            "--curve --runtime 1",
            "--latency_target 2ms --latency_percentile 99.9 --runtime 1 --iodepth 64",
            "--verify --rw randwrite --number_ios 1000 --fdatasync 16 --verify_state f",
            "--verify_only --rw read --verify_state f",
            "--steady_state --precondition --runtime 60 --rw randwrite",
            "--direct 0 --norandommap --size 50% --offset 1m --filename b:c\\:d",
        ] {
            plan(words).unwrap_or_else(|refusal| panic!("{words}: {refusal}"));
        }
    }
}
