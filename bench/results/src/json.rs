//! Results as JSON: docs/results.md.

mod clock;
mod fio;
mod own;
mod stats;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use self::fio::Job;
use self::own::Own;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::Run;

/// Of the part under `dray`; raised when a reader of an earlier one would go wrong.
const FORMAT: u64 = 1;

/// A file of results: one host's run, or that of several with each one's own beside it.
#[derive(Clone, Debug)]
pub struct Results {
    pub run: Run,
    /// What each host measured, where `run` is merged of several.
    pub hosts: Vec<Run>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "dray version")]
    version: String,
    timestamp: u64,
    timestamp_ms: u64,
    time: String,
    #[serde(rename = "global options")]
    global: BTreeMap<String, String>,
    jobs: Vec<Record>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    client_stats: Vec<Record>,
    dray: Head,
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    job: Job,
    dray: Own,
}

/// `dray` at the top.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u64,
    #[serde(flatten)]
    run: Host,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<Host>,
}

#[derive(Serialize, Deserialize)]
struct Host {
    host: String,
    partial: Option<String>,
    environment: Environment,
}

impl Results {
    pub fn of_one(run: Run) -> Self {
        Self { run, hosts: Vec::new() }
    }

    /// `now` is the time at which the file is written.
    pub fn to_json(&self, now: SystemTime) -> String {
        let now = since_1970(now);
        let document = Document {
            version: self.run.environment.dray.clone(),
            timestamp: now.as_secs(),
            timestamp_ms: now.as_millis() as u64,
            time: clock::asctime(now.as_secs()),
            global: BTreeMap::new(),
            jobs: records(&self.run),
            client_stats: self.hosts.iter().flat_map(records).collect(),
            dray: Head {
                format: FORMAT,
                run: Host::of(&self.run),
                hosts: self.hosts.iter().map(Host::of).collect(),
            },
        };
        serde_json::to_string_pretty(&document).expect("numbers, texts and lists only") + "\n"
    }

    pub fn from_json(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Peek {
            dray: PeekHead,
        }
        #[derive(Deserialize)]
        struct PeekHead {
            format: u64,
        }
        let bad = |error: serde_json::Error| Error::NotJson(error.to_string());
        let peek: Peek = serde_json::from_str(text).map_err(bad)?;
        if peek.dray.format > FORMAT {
            return Err(Error::Later { found: peek.dray.format, known: FORMAT });
        }
        let document: Document = serde_json::from_str(text).map_err(bad)?;
        let mut hosts = Vec::new();
        let mut theirs = document.client_stats;
        for host in document.dray.hosts {
            let (of_it, rest) =
                theirs.into_iter().partition(|record| record.job.hostname == host.host);
            theirs = rest;
            hosts.push(host.into_run(of_it)?);
        }
        Ok(Self { run: document.dray.run.into_run(document.jobs)?, hosts })
    }

    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        Self::from_json(&text).map_err(|error| error.within(path))
    }

    /// Whole or not at all: another file takes the place of `path` when it is complete.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_file(path, self.to_json(SystemTime::now()).as_bytes())
    }
}

impl Host {
    fn of(run: &Run) -> Self {
        Self {
            host: run.host.clone(),
            partial: run.partial.clone(),
            environment: run.environment.clone(),
        }
    }

    fn into_run(self, records: Vec<Record>) -> Result<Run, Error> {
        let phase = |record: Record| record.dray.into_phase(record.job.jobname, record.job.options);
        Ok(Run {
            host: self.host,
            environment: self.environment,
            phases: records.into_iter().map(phase).collect::<Result<_, _>>()?,
            partial: self.partial,
        })
    }
}

fn records(run: &Run) -> Vec<Record> {
    let record = |phase| Record { job: stats::job(phase, &run.host), dray: Own::of(phase) };
    run.phases.iter().map(record).collect()
}

pub(crate) fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// Puts `bytes` at `path`, whole or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_path_buf(), source };
    // A pipe or device cannot be replaced.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, bytes).map_err(failed);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path)).map_err(|source| {
        // What could not be completed is of no use; the error itself says what matters.
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}
