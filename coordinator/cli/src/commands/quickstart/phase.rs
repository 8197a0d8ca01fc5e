//! One phase of the trial on the engine, measured by itself.

use std::path::PathBuf;

use dray_io::{RingCounters, World};
use dray_mover::Latency;
use serde_json::{Value, json};

use crate::commands::movement::Movement;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::report::MIB;
use crate::requests::Ask;
use crate::session::Session;
use dray_node::config::Config;

/// One line of the report.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    /// 50th and 99th percentile in nanoseconds.
    pub(super) per_file: Option<[u64; 2]>,
    pub(super) per_block: Option<[u64; 2]>,
    pub(super) memory: Option<u64>,
    pub(super) detail: Value,
}

impl Row {
    pub(super) fn json(&self) -> Value {
        let percentiles = |ns: Option<[u64; 2]>| ns.map(|[p50, p99]| [p50 / 1000, p99 / 1000]);
        json!({
            "files": self.files,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "mib_per_second": self.bytes as f64 / MIB / self.seconds,
            "files_per_second": self.files as f64 / self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "cpu_seconds_per_gib": self.cpu_per_gib(),
            "file_p50_p99_us": percentiles(self.per_file),
            "block_p50_p99_us": percentiles(self.per_block),
            "peak_resident_bytes": self.memory,
            "detail": self.detail,
        })
    }

    /// CPU seconds per GiB; none when hardly anything moved.
    pub(super) fn cpu_per_gib(&self) -> Option<f64> {
        let gib = self.bytes as f64 / MIB / 1024.0;
        (gib > 0.001).then(|| self.cpu_seconds / gib)
    }
}

/// The state of the machine that every timed phase begins with.
pub(super) struct Conditions {
    /// Caches are dropped.
    pub(super) cold: bool,
    /// Bytes of memory touched and freed, as much as a mover may use that goes through the page
    /// cache: a guest may first have to fetch them back from its host.
    pub(super) touch: u64,
}

impl Conditions {
    pub(super) fn set(&self) -> anyhow::Result<()> {
        dray_bench::empty_cache(self.cold)?;
        dray_bench::touch_memory(self.touch.max(1 << 20));
        Ok(())
    }

    pub(super) fn text(&self) -> &'static str {
        if self.cold {
            "caches cold: dropped before each timed phase"
        } else {
            "caches warm: dropping them takes root; cp reads from memory what is there already, \
             dray reads and writes past the page cache"
        }
    }
}

/// Where the phases run, and what they leave for the report.
pub(super) struct Engine<'a> {
    pub(super) output: &'a Output,
    pub(super) config: Config,
    /// The managed directory.
    pub(super) root: PathBuf,
    pub(super) conditions: Conditions,
    pub(super) code: Code,
    pub(super) rings: RingCounters,
    pub(super) worker_runs: u64,
    pub(super) cores: usize,
    /// What keeps the rings from being the best kind.
    pub(super) notice: Option<String>,
}

impl Engine<'_> {
    /// Keeps the worst exit code so far.
    pub(super) fn note(&mut self, code: Code) {
        let rank = |code| match code {
            Code::Done => 0,
            Code::Later => 1,
            Code::Damage => 3,
            _ => 2,
        };
        if rank(code) > rank(self.code) {
            self.code = code;
        }
    }

    /// Has the whole tree moved under the usual conditions.
    pub(super) fn phase(
        &mut self,
        name: &'static str,
        verb: &str,
        ask: Ask,
    ) -> Result<Row, Failure> {
        self.conditions.set()?;
        let root = self.root.clone();
        self.run(name, verb, root, ask)
    }

    pub(super) fn run(
        &mut self,
        name: &'static str,
        verb: &str,
        root: PathBuf,
        ask: Ask,
    ) -> Result<Row, Failure> {
        let movement = Movement::new(name, verb, ask, self.output);
        let session = Session::with(self.config.clone());
        let (report, outcome, finished) = movement.run_here(session, &[root], self.output)?;
        outcome?;
        self.note(movement.reporter.code(&movement.totals));
        let Some(finished) = finished else { return Err(Failure::usage("a daemon did it")) };
        let tally = finished.tally();
        self.rings += tally.rings();
        self.worker_runs += finished.machine().punted().runs;
        self.cores = finished.machine().core_count();
        self.notice = self.notice.take().or_else(|| finished.machine().notice());
        Ok(Row {
            name,
            files: report.files,
            bytes: report.bytes,
            seconds: report.seconds,
            cpu_seconds: report.cpu_seconds,
            per_file: tally.with_files(percentiles),
            per_block: tally.with_blocks(percentiles),
            memory: dray_fs::peak_resident_bytes().ok(),
            detail: report.json(),
        })
    }
}

fn percentiles(latency: &Latency) -> Option<[u64; 2]> {
    (latency.count() > 0).then(|| [latency.percentile(50.0), latency.percentile(99.0)])
}
