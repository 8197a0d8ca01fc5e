use serde::Serialize;

use crate::machine::Machine;
use crate::stats::Spread;
use crate::tools::Tool;

/// What a series stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Dray,
    Rival,
    /// What the device gives to a program that keeps nothing of what it reads.
    Limit,
}

/// One timed run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Counted from 1.
    pub round: u32,
    /// Place in the order of its round, counted from 1.
    pub place: u32,
    pub wall_s: f64,
    /// In the unit of the series.
    pub rate: f64,
    /// Of the process tree and of the final flush.
    pub user_s: f64,
    pub system_s: f64,
    /// CPU time of the whole machine meanwhile: kernel threads, and whatever else was running.
    pub machine_busy_s: f64,
    /// Of the largest process.
    pub peak_memory_bytes: u64,
    pub cache_growth_bytes: i64,
    pub device_read_bytes: Option<u64>,
    pub device_written_bytes: Option<u64>,
    /// Whether the result of this run was compared with its source afterwards.
    pub verified: bool,
}

impl Run {
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// Medians over the runs of one series.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub rate: Spread,
    pub wall_s: Spread,
    pub cpu_s: Spread,
    pub machine_busy_s: Spread,
    pub peak_memory_bytes: Spread,
    pub cache_growth_bytes: Spread,
    pub device_read_bytes: Option<Spread>,
    pub device_written_bytes: Option<Spread>,
}

/// All runs of one mover in one phase.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub name: String,
    pub phase: String,
    pub role: Role,
    pub unit: &'static str,
    /// Timed together, in this order; the last one is the final flush.
    pub commands: Vec<String>,
    /// Memory touched and freed before each run.
    pub touched_bytes: u64,
    /// Why the series ended early; such a series takes no part in any ratio.
    pub failure: Option<String>,
    pub summary: Option<Summary>,
    pub runs: Vec<Run>,
}

impl Series {
    pub(crate) fn summarise(&mut self) {
        let of = |get: &dyn Fn(&Run) -> f64| Spread::of(self.runs.iter().map(get));
        let bytes = |get: &dyn Fn(&Run) -> Option<u64>| {
            Spread::of(self.runs.iter().filter_map(get).map(|bytes| bytes as f64))
        };
        self.summary = (|| {
            Some(Summary {
                rate: of(&|run| run.rate)?,
                wall_s: of(&|run| run.wall_s)?,
                cpu_s: of(&Run::cpu_s)?,
                machine_busy_s: of(&|run| run.machine_busy_s)?,
                peak_memory_bytes: of(&|run| run.peak_memory_bytes as f64)?,
                cache_growth_bytes: of(&|run| run.cache_growth_bytes as f64)?,
                device_read_bytes: bytes(&|run| run.device_read_bytes),
                device_written_bytes: bytes(&|run| run.device_written_bytes),
            })
        })();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Rate of dray by rate of the other: above 1, dray is faster.
    Speed,
    /// CPU time of dray by CPU time of the other: below 1, dray needs less.
    Cpu,
}

/// dray against another series, pair by pair within each round.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    pub measure: Measure,
    /// Phase of dray's side.
    pub phase: String,
    pub against: String,
    pub against_phase: String,
    pub pairs: usize,
    pub ratio: Spread,
    /// False when 1 lies within the spread: the two are not told apart.
    pub decided: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Fastest {
    pub phase: String,
    pub rival: String,
}

/// Everything about one benchmark, to be printed (`Display`) or serialised.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub format: u32,
    pub workload: String,
    pub bytes: u64,
    pub files: u64,
    pub rounds: u32,
    /// How it was measured, and what was not as it should be.
    pub conditions: Vec<String>,
    pub machine: Machine,
    pub tools: Vec<Tool>,
    pub fastest: Vec<Fastest>,
    pub ratios: Vec<Ratio>,
    pub series: Vec<Series>,
}

impl Report {
    /// Series that ended early, with the reason; a caller should not exit with success then.
    pub fn failures(&self) -> impl Iterator<Item = (&Series, &str)> {
        self.series.iter().filter_map(|series| Some((series, series.failure.as_deref()?)))
    }

    pub fn series(&self, name: &str, phase: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name && series.phase == phase)
    }

    pub fn ratio(&self, measure: Measure, phase: &str, against: &str) -> Option<&Ratio> {
        self.ratios
            .iter()
            .find(|r| r.measure == measure && r.phase == phase && r.against == against)
    }

    /// Fills in summaries, ratios and the fastest rival of each phase. `own` pairs phases of dray
    /// that are also compared with each other.
    pub(crate) fn conclude(&mut self, own: &[(&str, &str)]) {
        self.series.iter_mut().for_each(Series::summarise);
        let sound = || self.series.iter().filter(|s| s.failure.is_none() && s.summary.is_some());
        let (mut ratios, mut fastest) = (Vec::new(), Vec::new());
        for dray in sound().filter(|s| s.role == Role::Dray) {
            for other in sound().filter(|s| s.phase == dray.phase && s.role != Role::Dray) {
                ratios.extend(ratio(Measure::Speed, dray, other));
                if other.role == Role::Rival {
                    ratios.extend(ratio(Measure::Cpu, dray, other));
                }
            }
            for other in sound().filter(|s| s.role == Role::Dray) {
                if own.contains(&(dray.phase.as_str(), other.phase.as_str())) {
                    ratios.extend(ratio(Measure::Speed, dray, other));
                }
            }
            let rival = sound()
                .filter(|s| s.phase == dray.phase && s.role == Role::Rival)
                .max_by(|a, b| median_rate(a).total_cmp(&median_rate(b)));
            fastest
                .extend(rival.map(|s| Fastest { phase: s.phase.clone(), rival: s.name.clone() }));
        }
        (self.ratios, self.fastest) = (ratios, fastest);
    }
}

fn median_rate(series: &Series) -> f64 {
    series.summary.as_ref().map_or(0.0, |summary| summary.rate.median)
}

fn ratio(measure: Measure, dray: &Series, other: &Series) -> Option<Ratio> {
    let of = |run: &Run| match measure {
        Measure::Speed => run.rate,
        Measure::Cpu => run.cpu_s(),
    };
    let pairs: Vec<f64> = dray
        .runs
        .iter()
        .filter_map(|run| {
            let pair = other.runs.iter().find(|other| other.round == run.round)?;
            Some(of(run) / of(pair))
        })
        .filter(|ratio| ratio.is_finite())
        .collect();
    let spread = Spread::of(pairs.iter().copied())?;
    Some(Ratio {
        measure,
        phase: dray.phase.clone(),
        against: other.name.clone(),
        against_phase: other.phase.clone(),
        pairs: pairs.len(),
        ratio: spread,
        decided: !spread.contains(1.0),
    })
}
