//! Looking for the least setting that is as fast as any, by few and noisy measurements.
//!
//! Along each axis in turn the powers of two are measured once from the present setting outwards,
//! and those near the best run races: rounds in which each is measured once, so that what
//! disturbs the machine disturbs all alike. Then the diagonals are tried: twice the size, or the
//! cores, at half the depth. When nothing moves any more the cheapest of those within [`ALIKE`] of
//! the best is taken: less memory and less waiting for the same bytes.

use std::collections::BTreeMap;

/// What is tried: the fields of `[engine]` that decide over a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    pub cores: u32,
    /// Bytes per request.
    pub bytes: u32,
    /// Requests of one core under way.
    pub depth: u32,
}

impl Setting {
    /// Bytes under way.
    fn memory(self) -> u64 {
        u64::from(self.cores) * u64::from(self.bytes) * u64::from(self.depth)
    }

    /// Cores are dearer than memory, and memory than turns of a loop.
    fn cost(self) -> (u32, u64, u32) {
        (self.cores, self.memory(), self.depth)
    }
}

/// All settings that come into question.
#[derive(Debug, Clone)]
pub struct Space {
    /// Each ascending.
    pub cores: Vec<u32>,
    pub bytes: Vec<u32>,
    pub depth: Vec<u32>,
    /// Most bytes that one core may have under way.
    pub core_memory: u64,
}

impl Space {
    pub fn holds(&self, setting: Setting) -> bool {
        self.cores.contains(&setting.cores)
            && self.bytes.contains(&setting.bytes)
            && self.depth.contains(&setting.depth)
            && u64::from(setting.bytes) * u64::from(setting.depth) <= self.core_memory
    }

    pub fn all(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for &cores in &self.cores {
            for &bytes in &self.bytes {
                all.extend(self.depth.iter().map(|&depth| Setting { cores, bytes, depth }));
            }
        }
        all.retain(|setting| self.holds(*setting));
        all
    }

    /// Settings that differ from `from` in one field only, in both directions outwards.
    fn line(&self, from: Setting, axis: Axis) -> [Vec<Setting>; 2] {
        let list = match axis {
            Axis::Cores => &self.cores,
            Axis::Bytes => &self.bytes,
            Axis::Depth => &self.depth,
        };
        let at = |value: u32| match axis {
            Axis::Cores => Setting { cores: value, ..from },
            Axis::Bytes => Setting { bytes: value, ..from },
            Axis::Depth => Setting { depth: value, ..from },
        };
        let mine = match axis {
            Axis::Cores => from.cores,
            Axis::Bytes => from.bytes,
            Axis::Depth => from.depth,
        };
        let held = |value: &&u32| self.holds(at(**value));
        let down = list.iter().rev().filter(|value| **value < mine).filter(held);
        let up = list.iter().filter(|value| **value > mine).filter(held);
        [down.map(|value| at(*value)).collect(), up.map(|value| at(*value)).collect()]
    }

    /// Twice one field at half another, so that as much is under way; and twice or half both sizes.
    fn diagonals(&self, from: Setting) -> Vec<Setting> {
        let Setting { cores, bytes, depth } = from;
        let neighbours = [
            (cores, bytes * 2, depth / 2),
            (cores, bytes / 2, depth * 2),
            (cores, bytes * 2, depth * 2),
            (cores, bytes / 2, depth / 2),
            (cores * 2, bytes, depth / 2),
            (cores * 2, bytes / 2, depth),
            (cores / 2, bytes, depth * 2),
            (cores / 2, bytes * 2, depth),
        ];
        let all = neighbours.map(|(cores, bytes, depth)| Setting { cores, bytes, depth });
        all.into_iter().filter(|setting| self.holds(*setting)).collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Axis {
    Depth,
    Bytes,
    Cores,
}

/// Where the figures come from.
pub trait Device {
    type Error;

    /// Bytes per second with a setting, in one short measurement.
    fn measure(&mut self, setting: Setting) -> Result<f64, Self::Error>;

    /// Whether the time is up: then the search ends with what it knows.
    fn is_over(&self) -> bool {
        false
    }

    /// The last races begin, for which there is time of their own.
    fn settle(&mut self) {}
}

/// Shares of the best that count as equally fast: a third of the 3 % that are promised, the rest
/// being left to the noise.
pub const ALIKE: f64 = 0.99;
/// Shares of the best below which one measurement is enough.
const HOPELESS: f64 = 0.9;
/// Shares of the best below which what lies further out is not looked at.
const LOST: f64 = 0.6;
/// Of each axis at least these many run.
const RUNNERS: usize = 3;
const PASSES: usize = 4;
const ROUNDS: usize = 3;
const LAST_ROUNDS: usize = 11;
const FINALISTS: usize = 6;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub setting: Setting,
    /// Bytes per second, half of the last races' measurements below.
    pub rate: f64,
    pub measurements: usize,
}

/// Searches from `start` on.
pub fn search<D: Device>(space: &Space, start: Setting, device: &mut D) -> Result<Found, D::Error> {
    let mut search = Search { space, device, samples: BTreeMap::new(), measurements: 0 };
    let mut best = start;
    search.sample(best)?;
    let mut still = 0;
    for _ in 0..PASSES {
        let before = best;
        for axis in [Axis::Depth, Axis::Bytes, Axis::Cores] {
            best = search.along(best, axis)?;
        }
        best = search.across(best)?;
        still = if best == before { still + 1 } else { 0 };
        if still == 2 {
            break;
        }
    }
    search.settle(best)
}

struct Search<'a, D: Device> {
    space: &'a Space,
    device: &'a mut D,
    samples: BTreeMap<Setting, Vec<f64>>,
    measurements: usize,
}

impl<D: Device> Search<'_, D> {
    fn sample(&mut self, setting: Setting) -> Result<f64, D::Error> {
        let rate = self.device.measure(setting)?;
        self.measurements += 1;
        self.samples.entry(setting).or_default().push(rate);
        Ok(rate)
    }

    /// What is known of a setting; zero if nothing is.
    fn rate(&self, setting: Setting) -> f64 {
        self.samples.get(&setting).map_or(0.0, |samples| median(samples))
    }

    fn along(&mut self, from: Setting, axis: Axis) -> Result<Setting, D::Error> {
        let mut seen = vec![from];
        let mut best = self.rate(from);
        for direction in self.space.line(from, axis) {
            for setting in direction {
                if self.device.is_over() {
                    break;
                }
                self.sample(setting)?;
                let rate = self.rate(setting);
                seen.push(setting);
                best = best.max(rate);
                if rate < best * LOST {
                    break;
                }
            }
        }
        // The machine may have been disturbed for a while: some run whatever was seen of them.
        seen.sort_by(|a, b| self.rate(*b).total_cmp(&self.rate(*a)));
        let hopeful = seen.iter().filter(|it| self.rate(**it) >= best * HOPELESS).count();
        seen.truncate(hopeful.max(RUNNERS));
        self.fastest(&seen, ROUNDS)
    }

    fn across(&mut self, from: Setting) -> Result<Setting, D::Error> {
        let mut seen = self.space.diagonals(from);
        seen.push(from);
        self.fastest(&seen, ROUNDS)
    }

    /// The cheapest of those that are as fast as the fastest, or nearly.
    fn settle(mut self, best: Setting) -> Result<Found, D::Error> {
        let limit = self.rate(best) * (2.0 * ALIKE - 1.0);
        let mut near: Vec<Setting> = self.samples.keys().copied().collect();
        near.retain(|setting| *setting == best || self.rate(*setting) >= limit);
        near.sort_by_key(|setting| setting.cost());
        let mut finalists: Vec<Setting> = near.iter().copied().take(FINALISTS - 2).collect();
        near.sort_by(|a, b| self.rate(*b).total_cmp(&self.rate(*a)));
        for setting in near.into_iter().take(2).chain([best]) {
            if !finalists.contains(&setting) {
                finalists.push(setting);
            }
        }
        self.device.settle();
        let shares = self.race(&finalists, LAST_ROUNDS)?;
        let top = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
        let alike = shares.into_iter().filter(|(_, share)| *share >= top * ALIKE);
        let cheapest = alike.min_by_key(|(setting, _)| setting.cost());
        let setting = cheapest.map_or(best, |(setting, _)| setting);
        Ok(Found { setting, rate: self.rate(setting), measurements: self.measurements })
    }

    fn fastest(&mut self, settings: &[Setting], rounds: usize) -> Result<Setting, D::Error> {
        let shares = self.race(settings, rounds)?;
        let fastest = shares.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        Ok(fastest.expect("somebody runs").0)
    }

    fn race(
        &mut self,
        settings: &[Setting],
        rounds: usize,
    ) -> Result<Vec<(Setting, f64)>, D::Error> {
        if let [only] = settings {
            return Ok(vec![(*only, 1.0)]);
        }
        let Raced { shares, rates } = race(self.device, settings, rounds)?;
        for (setting, rates) in settings.iter().zip(rates) {
            self.measurements += rates.len();
            self.samples.entry(*setting).or_default().extend(rates);
        }
        Ok(settings.iter().copied().zip(shares).collect())
    }
}

/// Of each runner, in the order of the settings.
pub struct Raced {
    /// The median of its shares of the round's middle.
    pub shares: Vec<f64>,
    /// Bytes per second in each round.
    pub rates: Vec<Vec<f64>>,
}

/// Measures each setting once in every round. Ends early, after a round at least, when the time is
/// up.
pub fn race<D: Device>(
    device: &mut D,
    settings: &[Setting],
    rounds: usize,
) -> Result<Raced, D::Error> {
    let mut rates = vec![Vec::new(); settings.len()];
    let mut shares = vec![Vec::new(); settings.len()];
    for round in 0..rounds {
        if round > 0 && device.is_over() {
            break;
        }
        // Another one begins each time, and every other round runs backwards.
        let mut order: Vec<usize> = (0..settings.len()).collect();
        order.rotate_left(round % settings.len().max(1));
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            rates[at].push(device.measure(settings[at])?);
        }
        let this: Vec<f64> = rates.iter().filter_map(|rates| rates.last().copied()).collect();
        let middle = median(&this);
        for (shares, rate) in shares.iter_mut().zip(this) {
            shares.push(rate / middle);
        }
    }
    Ok(Raced { shares: shares.iter().map(|shares| median(shares)).collect(), rates })
}

/// Of an even number, the mean of the two in the middle; zero of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
