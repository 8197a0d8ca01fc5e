//! The figures of a run.

use dray_mover::{Latency, Tally};
use dray_node::Machine;
use serde_json::{Value, json};

use crate::output::{Output, Reporter};
use crate::requests::Totals;
use crate::session::Stopwatch;

pub(crate) const MIB: f64 = 1_048_576.0;

/// What was done, how fast, and at what cost.
pub(crate) struct Report {
    command: &'static str,
    pub(crate) files: u64,
    skipped: u64,
    failed: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    notice: Option<String>,
    detail: Value,
    errors: Vec<Value>,
}

fn latency_json(latency: &Latency) -> Value {
    if latency.count() == 0 {
        return Value::Null;
    }
    let us = |percent| latency.percentile(percent) / 1000;
    json!({
        "count": latency.count(),
        "p50_us": us(50.0),
        "p90_us": us(90.0),
        "p99_us": us(99.0),
        "p999_us": us(99.9),
        "max_us": latency.max() / 1000,
    })
}

/// How the engine of this process did it.
fn detail(tally: &Tally, machine: &Machine) -> Value {
    let punted = machine.punted();
    let rings = tally.rings();
    json!({
            "ring": {
                "reads": rings.reads,
                "writes": rings.writes,
                "enters": rings.enters,
                "retries": rings.retries,
                "worker_runs": punted.runs,
            },
            "block_latency": tally.with_blocks(latency_json),
            "file_latency": tally.with_files(latency_json),
            "peak_resident_bytes": dray_fs::peak_resident_bytes().ok(),
    })
}

impl Report {
    pub(crate) fn new(
        command: &'static str,
        stopwatch: &Stopwatch,
        totals: &Totals,
        reporter: &Reporter<'_>,
        engine: Option<(&Tally, &Machine)>,
    ) -> Self {
        let detail = engine.map_or(Value::Null, |(tally, machine)| detail(tally, machine));
        Self {
            command,
            files: Totals::count(&totals.files),
            skipped: Totals::count(&totals.skipped),
            failed: Totals::count(&totals.failed),
            bytes: Totals::count(&totals.bytes),
            seconds: stopwatch.seconds(),
            cpu_seconds: stopwatch.cpu_seconds(),
            notice: engine.and_then(|(_, machine)| machine.notice()),
            detail,
            errors: reporter.errors(),
        }
    }

    fn mib_per_second(&self) -> f64 {
        self.bytes as f64 / MIB / self.seconds
    }

    fn files_per_second(&self) -> f64 {
        self.files as f64 / self.seconds
    }

    /// CPU seconds per GiB moved; `None` when hardly anything was.
    fn cpu_per_gib(&self) -> Option<f64> {
        let gib = self.bytes as f64 / MIB / 1024.0;
        (gib > 0.001).then(|| self.cpu_seconds / gib)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "command": self.command,
            "files": self.files,
            "skipped": self.skipped,
            "failed": self.failed,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "mib_per_second": self.mib_per_second(),
            "files_per_second": self.files_per_second(),
            "cpu_seconds": self.cpu_seconds,
            "cpu_seconds_per_gib": self.cpu_per_gib(),
            "notice": self.notice,
            "detail": self.detail,
            "errors": self.errors,
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut line = format!(
            "{}: {} files, {:.1} MiB in {:.2} s: {:.0} MiB/s, {:.0} files/s, {:.2} s CPU",
            self.command,
            self.files,
            self.bytes as f64 / MIB,
            self.seconds,
            self.mib_per_second(),
            self.files_per_second(),
            self.cpu_seconds,
        );
        if let Some(cpu) = self.cpu_per_gib() {
            line.push_str(&format!(" ({cpu:.2} s/GiB)"));
        }
        if self.skipped > 0 {
            line.push_str(&format!("; {} passed over", self.skipped));
        }
        if self.failed > 0 {
            line.push_str(&format!("; {} FAILED", self.failed));
        }
        line
    }

    pub(crate) fn show(&self, output: &Output) {
        if let Some(notice) = &self.notice {
            output.warn(notice);
        }
        output.say(&self.text());
        output.result(&self.json());
    }
}
