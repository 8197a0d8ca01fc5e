//! Percentiles as text, in the format that HdrHistogram's own plotting tools read (`.hgrm`).

use std::fmt::Write as _;

use crate::latencies::Latencies;

/// Steps in each halving of the distance to 100 %, as in the reference implementation.
const TICKS: u32 = 5;
/// Values are written in us.
const UNIT: f64 = 1000.0;
/// What three digits and 1 ns come to; only ever printed.
const SUB_BUCKETS: u32 = 2048;

/// `HdrHistogram.outputPercentileDistribution(5, 1000)` of the latencies, in us.
pub fn hgrm(latencies: &Latencies) -> String {
    let histogram = latencies.histogram();
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut count = 0;
    for step in histogram.iter_quantiles(TICKS) {
        let value = step.value_iterated_to() as f64 / UNIT;
        let quantile = step.quantile_iterated_to();
        count += step.count_since_last_iteration();
        let _ = write!(text, "{value:12.3} {quantile:2.12} {count:10}");
        let _ = match quantile {
            1.0 => writeln!(text),
            below => writeln!(text, " {:14.2}", 1.0 / (1.0 - below)),
        };
    }
    let (mean, deviation) = (histogram.mean() / UNIT, histogram.stdev() / UNIT);
    let (max, count) = (histogram.max() as f64 / UNIT, histogram.len());
    let buckets = histogram.buckets();
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {SUB_BUCKETS:12}]");
    text
}
