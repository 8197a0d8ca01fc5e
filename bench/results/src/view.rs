//! What there is to compare and draw, from our files and from fio's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::environment::Environment;
use crate::error::Error;
use crate::json::{Job, Results, Side, Times};
use crate::latencies::Latencies;
use crate::model::{Direction, Interval, Kind, Phase, Run};

/// Those that figures are given of.
pub(crate) const NAMED: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// A file of results by whichever program.
#[derive(Clone, Debug)]
pub struct View {
    /// The name of the file, without its folder and ending.
    pub label: String,
    /// With its version.
    pub program: String,
    pub host: String,
    /// Of each host; none for fio, which does not say.
    pub environments: Vec<(String, Environment)>,
    pub partial: Option<String>,
    pub jobs: Vec<JobView>,
}

/// A phase of ours, a job of fio's.
#[derive(Clone, Debug)]
pub struct JobView {
    pub name: String,
    pub options: BTreeMap<String, String>,
    pub runtime: Duration,
    /// CPU time, in s per s.
    pub user: f64,
    pub system: f64,
    pub depth: Option<f64>,
    pub target_rate: Option<f64>,
    /// What ended it early, in words.
    pub error: Option<String>,
    pub notes: Vec<String>,
    /// Directions in which anything was done.
    pub sides: Vec<SideView>,
}

#[derive(Clone, Debug)]
pub struct SideView {
    pub kind: Kind,
    pub ios: u64,
    pub short: u64,
    pub errors: u64,
    pub iops: f64,
    /// Bytes per second.
    pub bandwidth: f64,
    pub service: Curve,
    /// `None` where it is the service time.
    pub response: Option<Curve>,
    /// Empty for fio.
    pub seconds: Vec<Second>,
}

/// Latencies in ns.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    pub mean: f64,
    pub max: f64,
    /// Share of I/Os that were not slower, and their latency; rising.
    pub points: Vec<(f64, f64)>,
}

/// An interval.
#[derive(Clone, Debug)]
pub struct Second {
    /// s from the start.
    pub at: f64,
    pub length: f64,
    pub ios: u64,
    pub bytes: u64,
    pub service: Latencies,
    pub response: Option<Latencies>,
}

impl View {
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::Read { path: path.to_path_buf(), error })?;
        let label = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::from_json(&label, &text).map_err(|error| error.within(path))
    }

    /// Files whose names are alike but for the folder are called by their paths.
    pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, Error> {
        let mut views: Vec<Self> =
            paths.iter().map(|path| Self::read(path)).collect::<Result<_, _>>()?;
        let labels: BTreeSet<&String> = views.iter().map(|view| &view.label).collect();
        if labels.len() < views.len() {
            for (view, path) in views.iter_mut().zip(paths) {
                view.label = path.display().to_string();
            }
        }
        Ok(views)
    }

    /// Ours if it says so, else fio's.
    pub fn from_json(label: &str, text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Peek {
            #[serde(rename = "fio version")]
            fio: Option<String>,
        }
        let peek: Peek = object(text)?;
        match peek.fio {
            Some(version) => Self::of_fio(label, version, text),
            None => Ok(Self::of(label, &Results::from_json(text)?)),
        }
    }

    pub fn of(label: &str, results: &Results) -> Self {
        let run = &results.run;
        let each = |run: &Run| (run.host.clone(), run.environment.clone());
        Self {
            label: label.to_owned(),
            program: format!("dray {}", run.environment.dray),
            host: run.host.clone(),
            environments: match results.hosts.as_slice() {
                [] => vec![each(run)],
                hosts => hosts.iter().map(each).collect(),
            },
            partial: run.partial.clone(),
            jobs: run.phases.iter().map(JobView::of).collect(),
        }
    }

    fn of_fio(label: &str, version: String, text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Output {
            #[serde(default, rename = "global options")]
            global: BTreeMap<String, String>,
            #[serde(default)]
            jobs: Vec<Job>,
            #[serde(default)]
            client_stats: Vec<Job>,
        }
        let output: Output = object(text)?;
        let jobs: Vec<Job> = match output.jobs.is_empty() {
            true => output.client_stats,
            false => output.jobs,
        };
        Ok(Self {
            label: label.to_owned(),
            program: version,
            host: jobs.first().map(|job| job.hostname.clone()).unwrap_or_default(),
            environments: Vec::new(),
            partial: None,
            jobs: jobs.iter().map(|job| JobView::of_fio(job, &output.global)).collect(),
        })
    }
}

/// The first object of a text: fio may print notes before and after it.
fn object<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let from = text.find('{').ok_or_else(|| Error::NotJson("it has no object".to_owned()))?;
    let mut objects = serde_json::Deserializer::from_str(&text[from..]).into_iter();
    let first = objects.next().ok_or_else(|| Error::NotJson("it has no object".to_owned()))?;
    first.map_err(|error| Error::NotJson(error.to_string()))
}

impl JobView {
    pub fn side(&self, kind: Kind) -> Option<&SideView> {
        self.sides.iter().find(|side| side.kind == kind)
    }

    fn of(phase: &Phase) -> Self {
        let seconds = phase.runtime.as_secs_f64().max(1e-9);
        let error = phase.error.as_ref().map(|it| {
            format!(
                "{} of {} bytes at {} of {} after {:.1} s: {}",
                it.kind.fio_name(),
                it.length,
                it.offset,
                it.target,
                it.after.as_secs_f64(),
                it.cause
            )
        });
        Self {
            name: phase.name.clone(),
            options: phase.options.clone(),
            runtime: phase.runtime,
            user: phase.user.as_secs_f64() / seconds,
            system: phase.system.as_secs_f64() / seconds,
            depth: Some(phase.depth_seen),
            target_rate: phase.target_rate,
            error,
            notes: phase.notes.clone(),
            sides: Kind::ALL.into_iter().filter_map(|kind| SideView::of(phase, kind)).collect(),
        }
    }

    fn of_fio(job: &Job, global: &BTreeMap<String, String>) -> Self {
        let mut options = global.clone();
        options.extend(job.options.clone());
        let sides = [(Kind::Read, &job.read), (Kind::Write, &job.write)];
        let mut sides: Vec<SideView> =
            sides.into_iter().filter_map(|(kind, side)| SideView::of_fio(kind, side)).collect();
        if job.sync.total_ios > 0 {
            let seconds = job.job_runtime as f64 / 1e3;
            let iops = if seconds > 0.0 { job.sync.total_ios as f64 / seconds } else { 0.0 };
            let service = Curve::of_fio(&job.sync.lat_ns);
            sides.push(SideView {
                service,
                iops,
                ..SideView::empty(Kind::Flush, job.sync.total_ios)
            });
        }
        Self {
            name: job.jobname.clone(),
            options,
            runtime: Duration::from_millis(job.read.runtime.max(job.write.runtime)),
            user: job.usr_cpu / 100.0,
            system: job.sys_cpu / 100.0,
            depth: None,
            target_rate: None,
            error: (job.error != 0).then(|| format!("errno {}", job.error)),
            notes: Vec::new(),
            sides,
        }
    }
}

impl SideView {
    fn empty(kind: Kind, ios: u64) -> Self {
        Self {
            kind,
            ios,
            short: 0,
            errors: 0,
            iops: 0.0,
            bandwidth: 0.0,
            service: Curve::default(),
            response: None,
            seconds: Vec::new(),
        }
    }

    fn of(phase: &Phase, kind: Kind) -> Option<Self> {
        let of = phase.total.of(kind);
        let seconds = phase.runtime.as_secs_f64().max(1e-9);
        (!of.is_unused()).then(|| Self {
            short: of.short,
            errors: of.errors,
            iops: of.ios as f64 / seconds,
            bandwidth: of.bytes as f64 / seconds,
            service: Curve::of(&of.service),
            response: of.from_intended.as_ref().map(Curve::of),
            seconds: phase
                .intervals
                .iter()
                .map(|it| Second::of(it, it.directions.of(kind)))
                .collect(),
            ..Self::empty(kind, of.ios)
        })
    }

    fn of_fio(kind: Kind, side: &Side) -> Option<Self> {
        (side.total_ios > 0).then(|| Self {
            short: side.short_ios,
            iops: side.iops,
            bandwidth: side.bw_bytes as f64,
            service: Curve::of_fio(&side.clat_ns),
            // Without percentiles of its own it has nothing to be drawn.
            response: (!side.lat_ns.percentile.is_empty()).then(|| Curve::of_fio(&side.lat_ns)),
            ..Self::empty(kind, side.total_ios)
        })
    }
}

impl Curve {
    fn of(latencies: &Latencies) -> Self {
        let histogram = latencies.histogram();
        let steps = histogram.iter_quantiles(4);
        let steps =
            steps.map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64));
        let named = NAMED.map(|q| (q, histogram.value_at_quantile(q) as f64));
        let mut points: Vec<(f64, f64)> = steps.chain(named).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points.dedup_by(|one, other| one.0 == other.0);
        Self { mean: histogram.mean(), max: histogram.max() as f64, points }
    }

    fn of_fio(times: &Times) -> Self {
        let mut points: Vec<(f64, f64)> = times
            .percentile
            .iter()
            .filter_map(|(percent, ns)| Some((percent.parse::<f64>().ok()? / 100.0, *ns as f64)))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        if times.count > 0 {
            points.push((1.0, times.max as f64));
        }
        Self { mean: times.mean, max: times.max as f64, points }
    }

    /// The latency in ns that a share of the I/Os did not exceed; `None` where it is not known.
    /// Ours know p50, p90, p95, p99, p99.9 and p99.99.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.points.iter().find(|(share, _)| (share - q).abs() < 1e-9).map(|(_, ns)| *ns)
    }
}

impl Second {
    fn of(interval: &Interval, of: &Direction) -> Self {
        Self {
            at: interval.start.as_secs_f64(),
            length: interval.length.as_secs_f64(),
            ios: of.ios,
            bytes: of.bytes,
            service: of.service.clone(),
            response: of.from_intended.clone(),
        }
    }
}
