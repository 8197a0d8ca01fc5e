//! Runs of several hosts as one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::json::Results;
use crate::model::{Interval, Phase, Run, Verified};

/// The name of a merged run: fio's for the sum of its clients.
const ALL: &str = "All clients";

const SECOND: Duration = Duration::from_secs(1);

/// Adds the histograms and counts of hosts that ran the same phases at the same time. What each
/// host measured is kept beside the sum.
pub fn merge(files: Vec<Results>) -> Result<Results, Error> {
    let hosts: Vec<Run> = files
        .into_iter()
        .flat_map(|file| if file.hosts.is_empty() { vec![file.run] } else { file.hosts })
        .collect();
    let mut names = BTreeSet::new();
    if let Some(twice) = hosts.iter().find(|host| !names.insert(host.host.as_str())) {
        return Err(Error::Unfit(format!(
            "host {} is in more than one file: rounds of one host are compared, not merged",
            twice.host
        )));
    }
    let (first, others) =
        hosts.split_first().ok_or_else(|| Error::Unfit("no file to merge".to_owned()))?;
    for other in others {
        alike(first, other)?;
    }
    let phases = (0..first.phases.len())
        .map(|at| {
            sum(&hosts
                .iter()
                .map(|host| (host.host.as_str(), &host.phases[at]))
                .collect::<Vec<_>>())
        })
        .collect();
    let partial: Vec<String> = hosts
        .iter()
        .filter_map(|host| Some(format!("{}: {}", host.host, host.partial.as_ref()?)))
        .collect();
    let run = Run {
        host: ALL.to_owned(),
        environment: first.environment.clone(),
        phases,
        partial: (!partial.is_empty()).then(|| partial.join("; ")),
    };
    Ok(Results { run, hosts })
}

fn alike(one: &Run, other: &Run) -> Result<(), Error> {
    let names = |run: &Run| run.phases.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let (ours, theirs) = (names(one), names(other));
    if ours != theirs {
        return Err(Error::Unfit(format!(
            "{} ran the phases {ours:?} and {} ran {theirs:?}: only the same phases can be merged",
            one.host, other.host
        )));
    }
    for (ours, theirs) in one.phases.iter().zip(&other.phases) {
        let (earlier, later) =
            if ours.started <= theirs.started { (ours, theirs) } else { (theirs, ours) };
        if end(earlier) <= later.started {
            return Err(Error::Unfit(format!(
                "phase {} of {} and {} was at no time under way on both: their clocks differ, or \
                 the runs were not at the same time",
                ours.name, one.host, other.host
            )));
        }
    }
    Ok(())
}

fn end(phase: &Phase) -> SystemTime {
    phase.started + phase.runtime
}

fn sum(parts: &[(&str, &Phase)]) -> Phase {
    let started = parts.iter().map(|(_, it)| it.started).min().expect("at least one host");
    let ended = parts.iter().map(|(_, it)| end(it)).max().expect("at least one host");
    let runtime = ended.duration_since(started).unwrap_or(Duration::ZERO);
    let mut sum = Phase {
        name: parts[0].1.name.clone(),
        options: options(parts),
        started,
        runtime,
        intervals: intervals(parts, started),
        ..Phase::empty(started)
    };
    let mut rate = Some(0.0);
    for (host, part) in parts {
        sum.total.add(&part.total);
        sum.user += part.user;
        sum.system += part.system;
        sum.voluntary_switches += part.voluntary_switches;
        sum.involuntary_switches += part.involuntary_switches;
        // In flight over the whole time, of which this host worked a part.
        sum.depth_seen +=
            part.depth_seen * part.runtime.as_secs_f64() / runtime.as_secs_f64().max(1e-9);
        sum.syscalls += part.syscalls;
        sum.workers += part.workers;
        rate = rate.zip(part.target_rate).map(|(all, own)| all + own);
        sum.dropped += part.dropped;
        sum.left += part.left;
        sum.verified = added(sum.verified.take(), part.verified.as_ref());
        sum.error = sum.error.take().or_else(|| part.error.clone());
        sum.notes.extend(part.notes.iter().map(|note| format!("{host}: {note}")));
    }
    sum.target_rate = rate;
    sum.total.pack();
    sum
}

/// Each second of each host, added to the second of the sum that it overlaps most.
fn intervals(parts: &[(&str, &Phase)], started: SystemTime) -> Vec<Interval> {
    let mut seconds: BTreeMap<u64, Interval> = BTreeMap::new();
    for (_, part) in parts {
        let offset = part.started.duration_since(started).unwrap_or(Duration::ZERO);
        for interval in &part.intervals {
            let at = (offset + interval.start + SECOND / 2).as_secs();
            let second = seconds.entry(at).or_insert_with(|| Interval {
                start: Duration::from_secs(at),
                length: Duration::ZERO,
                directions: Default::default(),
            });
            second.length = second.length.max(interval.length);
            second.directions.add(&interval.directions);
        }
    }
    let mut all: Vec<Interval> = seconds.into_values().collect();
    all.iter_mut().for_each(|second| second.directions.pack());
    all
}

/// Options of all hosts; where they differ, each host's own.
fn options(parts: &[(&str, &Phase)]) -> BTreeMap<String, String> {
    let names: BTreeSet<&String> = parts.iter().flat_map(|(_, part)| part.options.keys()).collect();
    let mut options = BTreeMap::new();
    for name in names {
        let values: Vec<Option<&String>> =
            parts.iter().map(|(_, part)| part.options.get(name)).collect();
        let same = values.iter().all(|value| *value == values[0]);
        let each = parts.iter().zip(&values).map(|((host, _), value)| {
            format!("{host}: {}", value.map_or("not given", String::as_str))
        });
        let value = match (same, values[0]) {
            (true, Some(value)) => value.clone(),
            _ => each.collect::<Vec<_>>().join("; "),
        };
        options.insert(name.clone(), value);
    }
    options
}

fn added(sum: Option<Verified>, part: Option<&Verified>) -> Option<Verified> {
    let Some(part) = part else { return sum };
    let sum = sum.unwrap_or_default();
    Some(Verified {
        blocks: sum.blocks + part.blocks,
        covered: sum.covered + part.covered,
        wrong: sum.wrong + part.wrong,
        first_wrong: sum.first_wrong.or_else(|| part.first_wrong.clone()),
    })
}
