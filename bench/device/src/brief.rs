//! What a phase measured under fio's names, as far as a comparison needs it.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::phase::Measured;
use crate::tally::Side;

fn times(times: &Histogram<u64>) -> Value {
    let at = |quantile| times.value_at_quantile(quantile);
    json!({
        "min": times.min(), "max": times.max(), "mean": times.mean(), "stddev": times.stdev(),
        "N": times.len(),
        "percentile": {
            "50.000000": at(0.5), "90.000000": at(0.9), "99.000000": at(0.99),
            "99.900000": at(0.999), "99.990000": at(0.9999),
        },
    })
}

fn side(side: &Side, runtime: u64) -> Value {
    let seconds = (runtime as f64 / 1e9).max(1e-9);
    json!({
        "io_bytes": side.bytes, "bw_bytes": side.bytes as f64 / seconds,
        "iops": side.ios as f64 / seconds, "total_ios": side.ios, "short_ios": side.short,
        "runtime": runtime / 1_000_000,
        "clat_ns": times(&side.service), "lat_ns": times(side.response()),
    })
}

impl Measured {
    /// As a job of fio's JSON.
    pub fn brief(&self) -> Value {
        let job = json!({
            "jobname": "device", "error": i32::from(self.failure.is_some()),
            "read": side(&self.total.read, self.runtime),
            "write": side(&self.total.write, self.runtime),
            "sync": side(&self.total.flush, self.runtime),
        });
        json!({ "jobs": [job] })
    }
}
