//! One row per phase and direction: docs/results.md has the columns.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json::{Results, since_1970};
use crate::latencies::Latencies;
use crate::model::{Kind, Phase, Run};

/// The columns in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub host: String,
    pub phase: String,
    /// `read`, `write` or `sync`.
    pub direction: String,
    /// s since 1970.
    pub started: f64,
    pub runtime_s: f64,
    pub ios: u64,
    pub bytes: u64,
    pub iops: f64,
    pub bytes_per_second: f64,
    pub short: u64,
    pub errors: u64,
    pub service_mean_ns: f64,
    pub service_p50_ns: u64,
    pub service_p90_ns: u64,
    pub service_p99_ns: u64,
    pub service_p999_ns: u64,
    pub service_p9999_ns: u64,
    pub service_max_ns: u64,
    pub response_mean_ns: f64,
    pub response_p50_ns: u64,
    pub response_p90_ns: u64,
    pub response_p99_ns: u64,
    pub response_p999_ns: u64,
    pub response_p9999_ns: u64,
    pub response_max_ns: u64,
    /// Of all directions together, as is the rest.
    pub user_s: f64,
    pub system_s: f64,
    pub context_switches: u64,
    pub depth: f64,
    pub syscalls: u64,
    pub io_wq: u64,
    /// Empty in a closed loop.
    pub target_rate: Option<f64>,
    pub dropped: u64,
    pub left: u64,
    /// Why the run ended early; empty if it did not.
    pub partial: String,
    pub error: String,
    /// `name=value`, separated by spaces.
    pub options: String,
}

impl Results {
    /// The run, then each host's own where it is merged of several.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for run in std::iter::once(&self.run).chain(&self.hosts) {
            for phase in &run.phases {
                for kind in Kind::ALL {
                    if !phase.total.of(kind).is_unused() {
                        writer.serialize(Row::of(run, phase, kind)).expect("memory takes all");
                    }
                }
            }
        }
        let bytes = writer.into_inner().expect("memory takes all");
        String::from_utf8(bytes).expect("made of texts and numbers")
    }
}

/// Reads what [`Results::to_csv`] has written.
pub fn rows_from_csv(text: &str) -> Result<Vec<Row>, Error> {
    let rows: Result<_, csv::Error> =
        csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect();
    rows.map_err(|error| Error::Unfit(format!("no CSV of results: {error}")))
}

impl Row {
    fn of(run: &Run, phase: &Phase, kind: Kind) -> Self {
        let of = phase.total.of(kind);
        let seconds = phase.runtime.as_secs_f64();
        let per_second = |amount: u64| if seconds > 0.0 { amount as f64 / seconds } else { 0.0 };
        let (service, response) = (quantiles(&of.service), quantiles(of.response()));
        let options = phase.options.iter().map(|(name, value)| format!("{name}={value}"));
        let error = phase.error.as_ref().map(|it| format!("{} at {}", it.cause, it.offset));
        Self {
            host: run.host.clone(),
            phase: phase.name.clone(),
            direction: kind.fio_name().to_owned(),
            started: since_1970(phase.started).as_secs_f64(),
            runtime_s: seconds,
            ios: of.ios,
            bytes: of.bytes,
            iops: per_second(of.ios),
            bytes_per_second: per_second(of.bytes),
            short: of.short,
            errors: of.errors,
            service_mean_ns: of.service.histogram().mean(),
            service_p50_ns: service[0],
            service_p90_ns: service[1],
            service_p99_ns: service[2],
            service_p999_ns: service[3],
            service_p9999_ns: service[4],
            service_max_ns: service[5],
            response_mean_ns: of.response().histogram().mean(),
            response_p50_ns: response[0],
            response_p90_ns: response[1],
            response_p99_ns: response[2],
            response_p999_ns: response[3],
            response_p9999_ns: response[4],
            response_max_ns: response[5],
            user_s: phase.user.as_secs_f64(),
            system_s: phase.system.as_secs_f64(),
            context_switches: phase.voluntary_switches + phase.involuntary_switches,
            depth: phase.depth_seen,
            syscalls: phase.syscalls,
            io_wq: phase.workers,
            target_rate: phase.target_rate,
            dropped: phase.dropped,
            left: phase.left,
            partial: run.partial.clone().unwrap_or_default(),
            error: error.unwrap_or_default(),
            options: options.collect::<Vec<_>>().join(" "),
        }
    }
}

/// p50, p90, p99, p99.9, p99.99 and the largest.
fn quantiles(latencies: &Latencies) -> [u64; 6] {
    let histogram = latencies.histogram();
    [0.5, 0.9, 0.99, 0.999, 0.9999, 1.0].map(|q| histogram.value_at_quantile(q))
}
