//! What a probe tells.

use std::fmt;

use dray_node::config::Profile;
use serde_json::{Value, json};

use super::measure::Pattern;
use super::search::Setting;
use super::sweep::Beside;

#[derive(Debug, Clone)]
pub struct ProbeReport {
    pub profile: Profile,
    pub beside: Vec<Beside>,
    pub measurements: usize,
}

impl Pattern {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::RandomRead => "random_read",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, bytes, depth } = self;
        write!(f, "{} KiB x {depth} on {cores} core(s)", bytes / 1024)
    }
}

fn mib(rate: f64) -> f64 {
    rate / f64::from(1 << 20)
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.profile.text())?;
        for it in &self.beside {
            write!(
                f,
                "\n# {}: found {} with {:.0} MiB/s; best of {} settings in {:.0} s: {} with \
                 {:.0} MiB/s; found is {:.1} % of it",
                it.pattern,
                it.found,
                mib(it.found_rate),
                it.settings,
                it.seconds,
                it.best,
                mib(it.best_rate),
                it.share * 100.0
            )?;
        }
        Ok(())
    }
}

impl ProbeReport {
    pub fn json(&self) -> Value {
        let setting =
            |it: Setting| json!({ "cores": it.cores, "bytes": it.bytes, "depth": it.depth });
        let beside = self.beside.iter().map(|it| {
            json!({
                "pattern": it.pattern,
                "settings": it.settings,
                "seconds": it.seconds,
                "best": setting(it.best),
                "best_bytes_per_second": it.best_rate,
                "found": setting(it.found),
                "found_bytes_per_second": it.found_rate,
                "share": it.share,
            })
        });
        json!({
            "profile": self.profile,
            "sweep": beside.collect::<Vec<_>>(),
            "measurements": self.measurements,
        })
    }
}
