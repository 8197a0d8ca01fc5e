//! Figures with their resamples: how else they might have come out.

use super::Basis;
use crate::latencies::Latencies;
use crate::view::{Curve, Second, SideView};

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
/// Neighbours of longer ones are taken together.
const LONG: usize = 300;

pub(super) struct Sample {
    pub(super) values: Figures,
    units: Units,
}

enum Units {
    /// The figures of each round.
    Rounds(Vec<Figures>),
    Seconds(Seconds),
    Nothing,
}

struct Seconds {
    each: Vec<Counts>,
    service: Values,
    response: Values,
}

struct Counts {
    length: f64,
    ios: f64,
    bytes: f64,
}

/// Latencies of all seconds: the values that occur, rising, and how often each does in each
/// second, by its index.
#[derive(Default)]
struct Values {
    values: Vec<u64>,
    counts: Vec<Vec<(usize, u64)>>,
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
        let seconds = Seconds::of(rounds);
        let units = if each.len() >= ROUNDS {
            Units::Rounds(each)
        } else if seconds.each.len() >= SECONDS {
            Units::Seconds(seconds)
        } else {
            Units::Nothing
        };
        Self { values, units }
    }

    fn len(&self) -> usize {
        match &self.units {
            Units::Rounds(rounds) => rounds.len(),
            Units::Seconds(seconds) => seconds.each.len(),
            Units::Nothing => 0,
        }
    }

    /// How much further than a resample the truth may lie, since the spread of few units is not
    /// known well: Student's factor, and that for the spread of a sample.
    fn widening(&self) -> f64 {
        let units = match &self.units {
            Units::Seconds(_) => (self.len() / block(self.len())) as f64,
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
                let (count, length) = (self.len(), block(self.len()));
                let mut drawn = Vec::with_capacity(count + length);
                while drawn.len() < count {
                    let from = chance.below(count);
                    drawn.extend((from..from + length).map(|at| at % count));
                }
                seconds.pooled(&drawn[..count])
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
    let count = if a.len().max(b.len()) > LONG / 2 { RESAMPLES_LONG } else { RESAMPLES };
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
            Units::Seconds(seconds) => seconds.pooled(&(0..self.len()).collect::<Vec<_>>()),
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

impl Seconds {
    /// Those of all rounds, without seconds that were cut short.
    fn of(rounds: &[&SideView]) -> Self {
        let all = rounds.iter().flat_map(|side| &side.seconds);
        let usual = all.clone().map(|it| it.length).fold(0.0, f64::max);
        let full: Vec<&Second> = all.filter(|it| it.length > 0.9 * usual).collect();
        let sum = |of: &[&Second], figure: fn(&Second) -> f64| of.iter().map(|it| figure(it)).sum();
        let counts = |some: &[&Second]| Counts {
            length: sum(some, |it| it.length),
            ios: sum(some, |it| it.ios as f64),
            bytes: sum(some, |it| it.bytes as f64),
        };
        let parts = || full.chunks(full.len().div_ceil(LONG).max(1));
        Self {
            each: parts().map(counts).collect(),
            service: Values::of(parts().map(|some| together(some, |it| Some(&it.service)))),
            response: Values::of(parts().map(|some| together(some, |it| it.response.as_ref()))),
        }
    }

    /// The figures of some of them together, each as often as it is drawn.
    fn pooled(&self, drawn: &[usize]) -> Figures {
        let sum = |of: fn(&Counts) -> f64| drawn.iter().map(|at| of(&self.each[*at])).sum::<f64>();
        let length = sum(|second| second.length);
        let (ios, bytes) = (sum(|second| second.ios), sum(|second| second.bytes));
        let (service, response) = (self.service.sum(drawn), self.response.sum(drawn));
        let of = |which| match which {
            Which::Service => (&self.service.values, &service),
            Which::Response => (&self.response.values, &response),
        };
        METRICS.each_ref().map(|metric| match metric.value {
            Value::Iops => ios / length,
            Value::Bandwidth => bytes / length,
            Value::Mean(which) => {
                let (values, counts) = of(which);
                let pairs = values.iter().zip(counts);
                let sum: f64 = pairs.map(|(value, count)| *value as f64 * *count as f64).sum();
                sum / counts.iter().sum::<u64>() as f64
            }
            Value::Quantile(which, q) => {
                let (values, counts) = of(which);
                quantile(values, counts, q)
            }
        })
    }
}

fn together(some: &[&Second], of: fn(&Second) -> Option<&Latencies>) -> Option<Latencies> {
    let mut each = some.iter().filter_map(|second| of(second));
    let mut sum = each.next()?.clone();
    each.for_each(|other| sum.add(other));
    Some(sum)
}

impl Values {
    fn of(seconds: impl Iterator<Item = Option<Latencies>>) -> Self {
        let recorded: Vec<Vec<(u64, u64)>> = seconds
            .map(|second| {
                let Some(second) = &second else { return Vec::new() };
                let histogram = second.histogram();
                let each = histogram.iter_recorded();
                each.map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
            })
            .collect();
        let mut values: Vec<u64> = recorded.iter().flatten().map(|(value, _)| *value).collect();
        values.sort_unstable();
        values.dedup();
        let index = |(value, count)| (values.partition_point(|it| *it < value), count);
        let counts = recorded.into_iter().map(|it| it.into_iter().map(index).collect()).collect();
        Self { values, counts }
    }

    fn sum(&self, drawn: &[usize]) -> Vec<u64> {
        let mut sum = vec![0; self.values.len()];
        for at in drawn {
            for (index, count) in &self.counts[*at] {
                sum[*index] += count;
            }
        }
        sum
    }
}

fn quantile(values: &[u64], counts: &[u64], q: f64) -> f64 {
    let wanted = (counts.iter().sum::<u64>() as f64 * q).ceil().max(1.0) as u64;
    let mut seen = 0;
    let reached = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    reached.map_or(f64::NAN, |at| values[at] as f64)
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
