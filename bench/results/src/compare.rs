//! Differences of two files, with how far they can be trusted: docs/results.md.

mod sample;
mod text;

use serde::Serialize;

use self::sample::{METRICS, Sample};
use crate::error::Error;
use crate::model::Kind;
use crate::view::{JobView, View};

#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub a: String,
    pub b: String,
    /// A share, such as 0.03.
    pub threshold: f64,
    pub lines: Vec<Line>,
    pub notes: Vec<String>,
    /// The worst of all lines.
    pub verdict: Verdict,
}

/// One figure of one direction of one phase.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub phase: String,
    pub direction: &'static str,
    pub metric: &'static str,
    pub a: f64,
    pub b: f64,
    /// `b / a - 1`.
    pub change: f64,
    /// Of the change, with 95 % confidence.
    pub interval: Option<(f64, f64)>,
    pub basis: Basis,
    pub verdict: Verdict,
}

/// What the confidence is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    Rounds,
    Seconds,
    Nothing,
}

/// Rising by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the threshold.
    Same,
    Better,
    /// Beyond the threshold, but chance alone may do that.
    Unsure,
    Worse,
}

/// Compares the phases that both files have. `threshold` is a share.
pub fn compare(a: &View, b: &View, threshold: f64) -> Result<Comparison, Error> {
    let mut notes = notes(a, b);
    let mut lines = Vec::new();
    for (name, ours, theirs) in pairs(a, b, &mut notes)? {
        for kind in Kind::ALL {
            let (ours, theirs) = (sides(&ours, kind), sides(&theirs, kind));
            if !ours.is_empty() && !theirs.is_empty() {
                let (ours, theirs) = (Sample::of(&ours), Sample::of(&theirs));
                lines.extend(figures(&name, kind, &ours, &theirs, threshold));
            } else if ours.len() + theirs.len() > 0 {
                notes.push(format!("{name}: only one of them has any {}", kind.fio_name()));
            }
        }
    }
    if lines.is_empty() {
        // Whoever asks whether B is worse must not take this for *no*.
        let why = format!("{} and {} have nothing to compare: ", a.label, b.label);
        return Err(Error::Unfit(why + &notes.join("; ")));
    }
    let failed = b.jobs.iter().filter_map(|job| Some((job, job.error.as_ref()?)));
    let failed: Vec<String> =
        failed.map(|(job, error)| format!("{} of {} failed: {error}", job.name, b.label)).collect();
    let worst = lines.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Same);
    let verdict = if failed.is_empty() { worst } else { Verdict::Worse };
    notes.extend(failed);
    if lines.iter().any(|line| line.basis == Basis::Nothing) {
        notes.push(
            "without five rounds (jobs of one name), or ten seconds of ours, nothing can be said \
             of chance: any difference beyond the threshold counts"
                .to_owned(),
        );
    }
    let (a, b) = (a.label.clone(), b.label.clone());
    Ok(Comparison { a, b, threshold, lines, notes, verdict })
}

type Pair<'a> = (String, Vec<&'a JobView>, Vec<&'a JobView>);

/// Phases by name; a name that comes several times has as many rounds. A single phase in each is
/// compared whatever the names.
fn pairs<'a>(a: &'a View, b: &'a View, notes: &mut Vec<String>) -> Result<Vec<Pair<'a>>, Error> {
    let (ours, theirs) = (rounds(a), rounds(b));
    if let ([one], [other]) = (ours.as_slice(), theirs.as_slice())
        && one.0 != other.0
    {
        notes.push(format!("{} of {} is held against {} of {}", one.0, a.label, other.0, b.label));
        let name = format!("{} / {}", one.0, other.0);
        return Ok(vec![(name, one.1.clone(), other.1.clone())]);
    }
    let mut pairs = Vec::new();
    for (name, jobs) in &ours {
        match theirs.iter().find(|(other, _)| other == name) {
            Some((_, others)) => pairs.push(((*name).to_owned(), jobs.clone(), others.clone())),
            None => notes.push(format!("{name} is in {} only", a.label)),
        }
    }
    for (name, _) in theirs.iter().filter(|(name, _)| !ours.iter().any(|(other, _)| other == name))
    {
        notes.push(format!("{name} is in {} only", b.label));
    }
    if pairs.is_empty() {
        return Err(Error::Unfit(format!(
            "{} and {} have no phase in common: {}",
            a.label,
            b.label,
            notes.join("; ")
        )));
    }
    Ok(pairs)
}

fn rounds(view: &View) -> Vec<(&str, Vec<&JobView>)> {
    let mut rounds: Vec<(&str, Vec<&JobView>)> = Vec::new();
    for job in &view.jobs {
        match rounds.iter_mut().find(|(name, _)| *name == job.name) {
            Some((_, jobs)) => jobs.push(job),
            None => rounds.push((&job.name, vec![job])),
        }
    }
    rounds
}

fn sides<'a>(jobs: &[&'a JobView], kind: Kind) -> Vec<&'a crate::view::SideView> {
    jobs.iter().filter_map(|job| job.side(kind)).collect()
}

/// What makes files hard to compare.
fn notes(a: &View, b: &View) -> Vec<String> {
    let mut notes = Vec::new();
    for view in [a, b] {
        if let Some(why) = &view.partial {
            notes.push(format!("{} is partial: {why}", view.label));
        }
    }
    let different = |what: &str, one: &str, other: &str| {
        (one != other).then(|| format!("{what}: {one} in {}, {other} in {}", a.label, b.label))
    };
    if let ([(_, one), ..], [(_, other), ..]) =
        (a.environments.as_slice(), b.environments.as_slice())
    {
        notes.extend(different("kernel", &one.machine.kernel, &other.machine.kernel));
        notes.extend(different("processor", &one.machine.cpu, &other.machine.cpu));
    }
    notes
}

fn figures(name: &str, kind: Kind, a: &Sample, b: &Sample, threshold: f64) -> Vec<Line> {
    let (intervals, basis) = sample::intervals(a, b);
    let mut lines = Vec::new();
    for (at, metric) in METRICS.iter().enumerate() {
        let (one, other) = (a.values[at], b.values[at]);
        // A figure that one of them does not have, or a bandwidth of flushes.
        if !(one > 0.0 && other > 0.0) {
            continue;
        }
        let change = other / one - 1.0;
        let interval = intervals.as_ref().map(|intervals| intervals[at]);
        let verdict = judge(change, interval, threshold, metric.more_is_better);
        lines.push(Line {
            phase: name.to_owned(),
            direction: kind.fio_name(),
            metric: metric.name,
            a: one,
            b: other,
            change,
            interval,
            basis,
            verdict,
        });
    }
    lines
}

fn judge(change: f64, interval: Option<(f64, f64)>, threshold: f64, more: bool) -> Verdict {
    if change.abs() <= threshold {
        return Verdict::Same;
    }
    match interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => Verdict::Unsure,
        _ if (change > 0.0) == more => Verdict::Better,
        _ => Verdict::Worse,
    }
}
