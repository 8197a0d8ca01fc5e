//! The command line, with fio's names where they mean the same.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use dray_ring::RingChoice;

use crate::sizes::parse_size;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    Read,
    Write,
    Randread,
    Randwrite,
    #[value(alias = "readwrite")]
    Rw,
    Randrw,
}

impl Direction {
    pub fn is_random(self) -> bool {
        matches!(self, Self::Randread | Self::Randwrite | Self::Randrw)
    }

    pub fn writes(self) -> bool {
        !matches!(self, Self::Read | Self::Randread)
    }

    pub fn is_mixed(self) -> bool {
        matches!(self, Self::Rw | Self::Randrw)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RateProcess {
    Linear,
    Poisson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Search {
    /// The greatest queue depth of a closed loop
    Depth,
    /// The greatest rate of an open loop
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// io_uring, or plain calls where it is not permitted
    Auto,
    #[value(name = "io_uring")]
    Uring,
    /// Plain reads and writes: one request at a time per core
    Psync,
}

impl From<Engine> for RingChoice {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Uring => Self::Uring,
            Engine::Psync => Self::Blocking,
        }
    }
}

/// Load on devices and files, with what it takes and gives.
///
/// Options have fio's names where they mean the same; docs/bench-device.md has what differs.
#[derive(Args, Debug, Clone)]
pub struct DeviceOptions {
    /// Devices or files, several separated by `:` or given one by one; `\:` is a colon
    #[arg(long, value_name = "PATHS", required = true)]
    pub filename: Vec<String>,
    /// What is done
    #[arg(long, value_enum, default_value = "randread")]
    pub rw: Direction,
    /// Of a mixed workload, so many of 100 requests read
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub rwmixread: Option<u32>,
    /// Bytes per request; two, separated by a comma, are for reads and writes [default: 4k]
    #[arg(long, value_name = "BYTES")]
    pub bs: Option<String>,
    /// Sizes with their shares, as 4k/60:64k/40; two, separated by a comma, for reads and writes
    #[arg(long, value_name = "SIZES", conflicts_with = "bs")]
    pub bssplit: Option<String>,
    /// Requests under way per core
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub iodepth: u32,
    /// Requests submitted at once at most
    #[arg(
        long = "iodepth_batch_submit",
        alias = "iodepth_batch",
        value_name = "N",
        default_value_t = 1
    )]
    pub iodepth_batch_submit: u32,
    /// Completions waited for at least
    #[arg(long = "iodepth_batch_complete_min", value_name = "N", default_value_t = 1)]
    pub iodepth_batch_complete_min: u32,
    /// Cores: each a pinned thread with a ring of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub numjobs: usize,
    /// CPUs for them, as 0,2-3 [default: those the process may use, from the first]
    #[arg(long = "cpus_allowed", value_name = "CPUS")]
    pub cpus_allowed: Option<String>,
    /// Working set: bytes of each target, or per cent of it as 50% [default: all of it]
    #[arg(long, value_name = "BYTES")]
    pub size: Option<String>,
    /// Where the working set begins
    #[arg(long, value_name = "BYTES", value_parser = parse_offset, default_value = "0")]
    pub offset: u64,
    /// Ends after so many bytes per core
    #[arg(long = "io_size", value_name = "BYTES", value_parser = parse_size)]
    pub io_size: Option<u64>,
    /// Ends after so many requests per core
    #[arg(long = "number_ios", value_name = "N")]
    pub number_ios: Option<u64>,
    /// Time that is measured, in seconds or as 500ms, 2m, 1h [default: once over the working set]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub runtime: Option<Duration>,
    /// Taken for granted with --runtime
    #[arg(long = "time_based", hide = true)]
    pub time_based: bool,
    /// Time before anything is measured
    #[arg(long = "ramp_time", value_name = "TIME", value_parser = parse_time, default_value = "0")]
    pub ramp_time: Duration,
    /// Open loop: so many requests start per second and core, whether others have ended or not
    #[arg(long = "rate_iops", value_name = "N")]
    pub rate_iops: Option<f64>,
    /// Whether they start evenly or independently of one another
    #[arg(long = "rate_process", value_enum, default_value = "linear")]
    pub rate_process: RateProcess,
    /// Searches for the most load whose latency stays within this
    #[arg(long = "latency_target", value_name = "TIME", value_parser = parse_time)]
    pub latency_target: Option<Duration>,
    /// Of so many per cent of the requests [default: 99]
    #[arg(long = "latency_percentile", value_name = "PERCENT")]
    pub latency_percentile: Option<f64>,
    /// Time of each try [default: 5]
    #[arg(long = "latency_window", value_name = "TIME", value_parser = parse_time)]
    pub latency_window: Option<Duration>,
    /// What is searched for
    #[arg(long = "latency_search", value_enum, default_value = "depth")]
    pub latency_search: Search,
    /// Measures the most in a closed loop, then open loops at these per cent of it
    #[arg(long, value_name = "PERCENTS", value_delimiter = ',', num_args = 0..=1,
          default_missing_value = "10,25,50,70,80,90,95",
          value_parser = clap::value_parser!(u32).range(1..=200))]
    pub curve: Option<Vec<u32>>,
    /// Before all else, writes the working set twice with 128 KiB, in order (SNIA PTS)
    #[arg(long)]
    pub precondition: bool,
    /// Rounds of --runtime until the device is in steady state by the rule of the SNIA PTS, or 25
    #[arg(long = "steady_state")]
    pub steady_state: bool,
    /// Writes blocks that say where and when they were written, flushes after every 64 writes (or
    /// as --fsync, --fdatasync), then reads all back: what a flush has covered must be there
    #[arg(long)]
    pub verify: bool,
    /// Where that is kept which --verify_only needs to know
    #[arg(long = "verify_state", value_name = "FILE")]
    pub verify_state: Option<PathBuf>,
    /// Reads back only what an earlier --verify has written, as after a crash of the device
    #[arg(long = "verify_only", requires = "verify_state", conflicts_with = "verify")]
    pub verify_only: bool,
    /// Seed of places, mixes, data and arrivals
    #[arg(long, value_name = "N", default_value_t = 0x6472_6179)]
    pub randseed: u64,
    /// Random places may repeat before all have been taken
    #[arg(long)]
    pub norandommap: bool,
    /// Past the page cache (O_DIRECT)
    #[arg(long, value_name = "0|1", default_value_t = 1, num_args = 0..=1,
          default_missing_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub direct: u8,
    /// fsync after every N writes
    #[arg(long, value_name = "N", conflicts_with = "fdatasync")]
    pub fsync: Option<u64>,
    /// fdatasync after every N writes
    #[arg(long, value_name = "N")]
    pub fdatasync: Option<u64>,
    /// Each write durable before it completes (O_DSYNC)
    #[arg(long)]
    pub sync: bool,
    /// Writes zeros; else incompressible data
    #[arg(long = "zero_buffers")]
    pub zero_buffers: bool,
    /// Of the data written, so many per cent zeros
    #[arg(long = "buffer_compress_percentage", value_name = "PERCENT", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=100))]
    pub buffer_compress_percentage: u32,
    /// New data for each write
    #[arg(long = "refill_buffers")]
    pub refill_buffers: bool,
    /// Which calls move the data
    #[arg(long, value_enum, default_value = "auto")]
    pub ioengine: Engine,
    /// Writes even to what is mounted, partitioned or claimed
    #[arg(long = "allow_mounted_write")]
    pub allow_mounted_write: bool,
    /// Says what would be done, and does not read or write
    #[arg(long)]
    pub dry_run: bool,
    /// Compares with these on the same load, alternating: fio, or paths of fio or its t/io_uring
    #[arg(long, value_name = "PROGRAMS", value_delimiter = ',')]
    pub against: Vec<String>,
    /// Rounds of a comparison
    #[arg(long, value_name = "N", default_value_t = 5, requires = "against",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Puts the result into a file, as --json prints it
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// One row per phase and direction
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Response times of the last phase by percentile, as HdrHistogram's tools read them
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// Histograms of every second, as HdrHistogram's tools read them (.hlog)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl DeviceOptions {
    pub(crate) fn bs(&self) -> &str {
        self.bs.as_deref().unwrap_or("4k")
    }

    pub(crate) fn latency_percentile(&self) -> f64 {
        self.latency_percentile.unwrap_or(99.0)
    }

    pub(crate) fn latency_window(&self) -> Duration {
        self.latency_window.unwrap_or(Duration::from_secs(5))
    }
}

/// Bytes, which may be none.
fn parse_offset(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { parse_size(text) }
}

/// Seconds, or with a unit: us, ms, s, m, h, d.
fn parse_time(text: &str) -> Result<Duration, String> {
    let digits =
        text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("not a time: {text:?}"))?;
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(format!("unknown unit {unit:?} in {text:?}: use us, ms, s, m, h or d")),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|error| format!("{text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse_time("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "s", "-1", "5y", "1e99"] {
            assert!(parse_time(bad).is_err(), "{bad:?} was taken");
        }
    }
}
