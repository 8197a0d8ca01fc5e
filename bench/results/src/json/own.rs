//! The part of a record that fio has no names for, and all that is needed to have it back.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::latencies::Latencies;
use crate::model::{Direction, Directions, Interval, IoFailure, Kind, Phase, Steady, Verified};

/// `dray` in an element of `jobs`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Own {
    /// ns since 1970.
    started_ns: u64,
    runtime_ns: u64,
    user_ns: u64,
    system_ns: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
    depth: f64,
    syscalls: u64,
    io_wq: u64,
    target_rate: Option<f64>,
    dropped: u64,
    left: u64,
    steady: Option<Steady>,
    verified: Option<Verified>,
    error: Option<Failure>,
    notes: Vec<String>,
    total: Counts,
    intervals: Vec<OwnInterval>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    direction: Kind,
    target: String,
    offset: u64,
    length: u64,
    errno: Option<i32>,
    cause: String,
    after_ns: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwnInterval {
    start_ns: u64,
    length_ns: u64,
    #[serde(flatten)]
    counts: Counts,
}

/// Directions without any I/O are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<Count>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Count {
    ios: u64,
    bytes: u64,
    short: u64,
    errors: u64,
    /// Histograms in base64.
    service: String,
    from_intended: Option<String>,
}

impl Own {
    pub(super) fn of(phase: &Phase) -> Self {
        Self {
            started_ns: ns(super::since_1970(phase.started)),
            runtime_ns: ns(phase.runtime),
            user_ns: ns(phase.user),
            system_ns: ns(phase.system),
            voluntary_switches: phase.voluntary_switches,
            involuntary_switches: phase.involuntary_switches,
            depth: phase.depth_seen,
            syscalls: phase.syscalls,
            io_wq: phase.workers,
            target_rate: phase.target_rate,
            dropped: phase.dropped,
            left: phase.left,
            steady: phase.steady.clone(),
            verified: phase.verified.clone(),
            error: phase.error.as_ref().map(Failure::of),
            notes: phase.notes.clone(),
            total: Counts::of(&phase.total),
            intervals: phase.intervals.iter().map(OwnInterval::of).collect(),
        }
    }

    /// `name` and `options` are those that the record has in fio's place.
    pub(super) fn into_phase(
        self,
        name: String,
        options: std::collections::BTreeMap<String, String>,
    ) -> Result<Phase, Error> {
        Ok(Phase {
            started: std::time::UNIX_EPOCH + Duration::from_nanos(self.started_ns),
            runtime: Duration::from_nanos(self.runtime_ns),
            intervals: self
                .intervals
                .into_iter()
                .map(|it| it.into_interval(&name))
                .collect::<Result<_, _>>()?,
            total: self.total.into_directions(&name)?,
            name,
            options,
            user: Duration::from_nanos(self.user_ns),
            system: Duration::from_nanos(self.system_ns),
            voluntary_switches: self.voluntary_switches,
            involuntary_switches: self.involuntary_switches,
            depth_seen: self.depth,
            syscalls: self.syscalls,
            workers: self.io_wq,
            target_rate: self.target_rate,
            dropped: self.dropped,
            left: self.left,
            steady: self.steady,
            verified: self.verified,
            error: self.error.map(Failure::into_failure),
            notes: self.notes,
        })
    }
}

impl Failure {
    fn of(failure: &IoFailure) -> Self {
        Self {
            direction: failure.kind,
            target: failure.target.clone(),
            offset: failure.offset,
            length: failure.length,
            errno: failure.errno,
            cause: failure.cause.clone(),
            after_ns: ns(failure.after),
        }
    }

    fn into_failure(self) -> IoFailure {
        IoFailure {
            kind: self.direction,
            target: self.target,
            offset: self.offset,
            length: self.length,
            errno: self.errno,
            cause: self.cause,
            after: Duration::from_nanos(self.after_ns),
        }
    }
}

impl OwnInterval {
    fn of(interval: &Interval) -> Self {
        Self {
            start_ns: ns(interval.start),
            length_ns: ns(interval.length),
            counts: Counts::of(&interval.directions),
        }
    }

    fn into_interval(self, name: &str) -> Result<Interval, Error> {
        Ok(Interval {
            start: Duration::from_nanos(self.start_ns),
            length: Duration::from_nanos(self.length_ns),
            directions: self.counts.into_directions(name)?,
        })
    }
}

impl Counts {
    fn of(directions: &Directions) -> Self {
        Self {
            read: Count::of(&directions.read),
            write: Count::of(&directions.write),
            sync: Count::of(&directions.flush),
        }
    }

    fn into_directions(self, name: &str) -> Result<Directions, Error> {
        let back = |count: Option<Count>, kind| {
            count.map_or_else(|| Ok(Direction::default()), |it| it.into_direction(name, kind))
        };
        Ok(Directions {
            read: back(self.read, Kind::Read)?,
            write: back(self.write, Kind::Write)?,
            flush: back(self.sync, Kind::Flush)?,
        })
    }
}

impl Count {
    fn of(direction: &Direction) -> Option<Self> {
        (!direction.is_unused()).then(|| Self {
            ios: direction.ios,
            bytes: direction.bytes,
            short: direction.short,
            errors: direction.errors,
            service: BASE64_STANDARD.encode(direction.service.to_v2()),
            from_intended: direction
                .from_intended
                .as_ref()
                .map(|latencies| BASE64_STANDARD.encode(latencies.to_v2())),
        })
    }

    fn into_direction(self, name: &str, kind: Kind) -> Result<Direction, Error> {
        let histogram = |text: String| {
            let bytes = BASE64_STANDARD.decode(text).map_err(|error| error.to_string());
            bytes
                .and_then(|bytes| Latencies::from_v2(&bytes).map_err(|error| error.to_string()))
                .map_err(|why| Error::Record {
                    job: name.to_owned(),
                    what: format!("a histogram of its {} latencies", kind.fio_name()),
                    why,
                })
        };
        Ok(Direction {
            ios: self.ios,
            bytes: self.bytes,
            short: self.short,
            errors: self.errors,
            service: histogram(self.service)?,
            from_intended: self.from_intended.map(histogram).transpose()?,
        })
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
