//! Figures with their resamples: how else they might have come out.

use std::collections::BTreeMap;

use super::Basis;
use crate::view::{Curve, SideView};

pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) more_is_better: bool,
    value: Value,
}

#[derive(Clone, Copy)]
enum Value {
    Iops,
    Bandwidth,
    Mean(Which),
    Quantile(Which, f64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Service,
    Response,
}

pub(super) const METRICS: [Metric; 10] = [
    Metric { name: "IOPS", more_is_better: true, value: Value::Iops },
    Metric { name: "bandwidth", more_is_better: true, value: Value::Bandwidth },
    latency("service mean", Value::Mean(Which::Service)),
    latency("service p50", Value::Quantile(Which::Service, 0.5)),
    latency("service p99", Value::Quantile(Which::Service, 0.99)),
    latency("service p99.9", Value::Quantile(Which::Service, 0.999)),
    latency("response mean", Value::Mean(Which::Response)),
    latency("response p50", Value::Quantile(Which::Response, 0.5)),
    latency("response p99", Value::Quantile(Which::Response, 0.99)),
    latency("response p99.9", Value::Quantile(Which::Response, 0.999)),
];

const fn latency(name: &'static str, value: Value) -> Metric {
    Metric { name, more_is_better: false, value }
}

/// NaN where a figure is not known.
type Figures = [f64; METRICS.len()];

/// Fewer say too little of their spread.
const ROUNDS: usize = 5;
const SECONDS: usize = 10;

/// A quantile with fewer I/Os beyond it is that of a few of them.
const BEYOND: f64 = 10.0;

const RESAMPLES: usize = 1000;
/// For long series, whose resamples differ little and cost much.
const RESAMPLES_LONG: usize = 200;
const LONG: usize = 300;

pub(super) struct Sample {
    pub(super) values: Figures,
    units: Units,
}

enum Units {
    /// The figures of each round.
    Rounds(Vec<Figures>),
    Seconds(Vec<Counts>),
    Nothing,
}

/// A second, its histograms as values with counts.
struct Counts {
    length: f64,
    ios: f64,
    bytes: f64,
    service: Vec<(u64, u64)>,
    response: Vec<(u64, u64)>,
}

impl Sample {
    /// Of the rounds of one direction, one at least. The figure of several is their mean.
    pub(super) fn of(rounds: &[&SideView]) -> Self {
        let each: Vec<Figures> = rounds.iter().map(|side| figures(side)).collect();
        let ios = rounds.iter().map(|side| side.ios as f64).sum::<f64>();
        let mut values = mean(each.iter());
        for (metric, value) in METRICS.iter().zip(&mut values) {
            if matches!(metric.value, Value::Quantile(_, q) if ios * (1.0 - q) < BEYOND) {
                *value = f64::NAN;
            }
        }
        let seconds: Vec<Counts> = rounds.iter().flat_map(|side| counts(side)).collect();
        let units = if each.len() >= ROUNDS {
            Units::Rounds(each)
        } else if seconds.len() >= SECONDS {
            Units::Seconds(seconds)
        } else {
            Units::Nothing
        };
        Self { values, units }
    }

    fn len(&self) -> usize {
        match &self.units {
            Units::Rounds(rounds) => rounds.len(),
            Units::Seconds(seconds) => seconds.len(),
            Units::Nothing => 0,
        }
    }

    /// How much further than a resample the truth may lie, since the spread of few units is not
    /// known well: Student's factor, and that for the spread of a sample.
    fn widening(&self) -> f64 {
        let units = match &self.units {
            Units::Seconds(seconds) => (seconds.len() / block(seconds.len())) as f64,
            _ => self.len() as f64,
        };
        let freedom = (units - 1.0).max(1.0);
        let student = 1.96 + 2.37 / freedom + 2.82 / freedom.powi(2) + 2.6 / freedom.powi(3);
        student / 1.96 * (units / freedom).sqrt()
    }

    fn resample(&self, chance: &mut Chance) -> Figures {
        match &self.units {
            Units::Rounds(rounds) => {
                let drawn: Vec<&Figures> =
                    rounds.iter().map(|_| &rounds[chance.below(rounds.len())]).collect();
                mean(drawn.into_iter())
            }
            Units::Seconds(seconds) => {
                let length = block(seconds.len());
                let mut drawn = Vec::with_capacity(seconds.len() + length);
                while drawn.len() < seconds.len() {
                    let from = chance.below(seconds.len());
                    drawn.extend((from..from + length).map(|at| &seconds[at % seconds.len()]));
                }
                pooled(&drawn[..seconds.len()])
            }
            Units::Nothing => self.values,
        }
    }
}

/// Seconds near one another are alike, so that blocks of them are drawn.
fn block(seconds: usize) -> usize {
    (seconds as f64).cbrt().ceil() as usize
}

/// The 95 % interval of the change of each figure, where both have units to draw from.
pub(super) fn intervals(a: &Sample, b: &Sample) -> (Option<Vec<(f64, f64)>>, Basis) {
    let basis = match (&a.units, &b.units) {
        (Units::Nothing, _) | (_, Units::Nothing) => return (None, Basis::Nothing),
        (Units::Rounds(_), Units::Rounds(_)) => Basis::Rounds,
        _ => Basis::Seconds,
    };
    let mut chance = Chance(0x6472_6179);
    let count = if a.len().max(b.len()) > LONG { RESAMPLES_LONG } else { RESAMPLES };
    let mut changes = vec![Vec::with_capacity(count); METRICS.len()];
    let (wide_a, wide_b) = (a.widening(), b.widening());
    // Around what resamples scatter about, which for seconds is the figure of all of them.
    let (mid_a, mid_b) = (a.middle(), b.middle());
    for _ in 0..count {
        let (one, other) = (a.resample(&mut chance), b.resample(&mut chance));
        for at in 0..METRICS.len() {
            // In logarithms, so that no change is below -100 %.
            let one = (one[at] / mid_a[at]).ln() * wide_a;
            let other = (other[at] / mid_b[at]).ln() * wide_b;
            changes[at].push(b.values[at] / a.values[at] * (other - one).exp() - 1.0);
        }
    }
    let ends = |mut changes: Vec<f64>| {
        changes.sort_by(f64::total_cmp);
        let at = |share: f64| changes[((count - 1) as f64 * share).round() as usize];
        (at(0.025), at(0.975))
    };
    (Some(changes.into_iter().map(ends).collect()), basis)
}

impl Sample {
    fn middle(&self) -> Figures {
        match &self.units {
            Units::Seconds(seconds) => pooled(&seconds.iter().collect::<Vec<_>>()),
            _ => self.values,
        }
    }
}

fn figures(side: &SideView) -> Figures {
    let quantile = |curve: &Curve, q| curve.quantile(q).unwrap_or(f64::NAN);
    METRICS.each_ref().map(|metric| match (metric.value, &side.response) {
        (Value::Iops, _) => side.iops,
        (Value::Bandwidth, _) => side.bandwidth,
        (Value::Mean(Which::Service), _) => side.service.mean,
        (Value::Quantile(Which::Service, q), _) => quantile(&side.service, q),
        (Value::Mean(Which::Response), Some(response)) => response.mean,
        (Value::Quantile(Which::Response, q), Some(response)) => quantile(response, q),
        (Value::Mean(_) | Value::Quantile(..), None) => f64::NAN,
    })
}

fn mean<'a>(each: impl ExactSizeIterator<Item = &'a Figures>) -> Figures {
    let count = each.len() as f64;
    let mut sum = [0.0; METRICS.len()];
    for figures in each {
        for (sum, value) in sum.iter_mut().zip(figures) {
            *sum += value;
        }
    }
    sum.map(|sum| sum / count)
}

fn counts(side: &SideView) -> Vec<Counts> {
    let usual = side.seconds.iter().map(|it| it.length).fold(0.0, f64::max);
    let list = |latencies: &crate::latencies::Latencies| {
        let histogram = latencies.histogram();
        histogram.iter_recorded().map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
    };
    let full = side.seconds.iter().filter(|second| second.length > 0.9 * usual);
    full.map(|second| Counts {
        length: second.length,
        ios: second.ios as f64,
        bytes: second.bytes as f64,
        service: list(&second.service),
        response: second.response.as_ref().map(list).unwrap_or_default(),
    })
    .collect()
}

/// The figures of some seconds together.
fn pooled(seconds: &[&Counts]) -> Figures {
    let sum = |of: fn(&Counts) -> f64| seconds.iter().map(|second| of(second)).sum::<f64>();
    let length = sum(|second| second.length);
    let (ios, bytes) = (sum(|second| second.ios), sum(|second| second.bytes));
    let merged = |of: fn(&Counts) -> &Vec<(u64, u64)>| {
        let mut all: BTreeMap<u64, u64> = BTreeMap::new();
        for (value, count) in seconds.iter().flat_map(|second| of(second)) {
            *all.entry(*value).or_default() += count;
        }
        all
    };
    let (service, response) = (merged(|it| &it.service), merged(|it| &it.response));
    let of = |which| if which == Which::Service { &service } else { &response };
    METRICS.each_ref().map(|metric| match metric.value {
        Value::Iops => ios / length,
        Value::Bandwidth => bytes / length,
        Value::Mean(which) => {
            let count = of(which).values().sum::<u64>() as f64;
            of(which).iter().map(|(value, count)| *value as f64 * *count as f64).sum::<f64>()
                / count
        }
        Value::Quantile(which, q) => quantile(of(which), q),
    })
}

fn quantile(counts: &BTreeMap<u64, u64>, q: f64) -> f64 {
    let wanted = (counts.values().sum::<u64>() as f64 * q).ceil().max(1.0) as u64;
    let mut seen = 0;
    let reached = counts.iter().find(|(_, count)| {
        seen += **count;
        seen >= wanted
    });
    reached.map_or(f64::NAN, |(value, _)| *value as f64)
}

/// SplitMix64 from a fixed seed: the same files give the same answer.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
