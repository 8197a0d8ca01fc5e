//! How long it took for the work to go on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fault::Fault;

#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Duration>);

impl Report {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
        self.0.sort_unstable();
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn worst(&self) -> Duration {
        *self.0.last().expect("there was a round")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounds, least) = (self.0.len(), self.0[0]);
        let (median, worst) = (self.median(), self.worst());
        write!(f, "{rounds} rounds: least {least:.2?}, median {median:.2?}, worst {worst:.2?}")
    }
}

/// Seconds by fault.
pub(crate) fn json(reports: &BTreeMap<Fault, Report>) -> String {
    let of = |report: &Report| -> Value {
        json!({
            "rounds": report.0.len(),
            "median_s": report.median().as_secs_f64(),
            "worst_s": report.worst().as_secs_f64(),
            "all_s": report.0.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
        })
    };
    let all = reports.iter().map(|(fault, report)| (fault.to_string(), of(report)));
    let all: serde_json::Map<String, Value> = all.collect();
    serde_json::to_string_pretty(&all).expect("numbers and texts") + "\n"
}
