//! Latencies as a histogram.

use std::borrow::Cow;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

/// Significant decimal digits: a value is off by at most a two-thousandth.
const DIGITS: u8 = 3;
/// One hour in ns. Anything longer counts as this.
const MOST: u64 = 3_600_000_000_000;

/// How often each latency occurred: three digits, 1 ns to 1 h.
///
/// Some 270 KB while it is recorded into, nothing while it is empty, and a few KB when packed.
#[derive(Clone, Debug, Default)]
pub struct Latencies(State);

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Empty,
    Open(Box<Histogram<u64>>),
    /// V2, compressed; checked when it came from outside.
    Packed(Box<[u8]>),
}

/// A histogram that came from outside and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("this is no compressed V2 HdrHistogram of latencies in ns: {0}")]
pub struct LatenciesError(String);

impl Latencies {
    /// `ns` below 1 count as 1, above one hour as that.
    pub fn record(&mut self, ns: u64) {
        self.open().saturating_record(ns.clamp(1, MOST));
    }

    pub fn record_n(&mut self, ns: u64, count: u64) {
        self.open().saturating_record_n(ns.clamp(1, MOST), count);
    }

    pub fn add(&mut self, other: &Self) {
        match (&self.0, &other.0) {
            (_, State::Empty) => {}
            (State::Empty, _) => self.0 = other.0.clone(),
            _ => {
                let other = other.histogram();
                self.open().add(&*other).expect("both have the same bounds");
            }
        }
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        match &self.0 {
            State::Empty => 0,
            _ => self.histogram().len(),
        }
    }

    /// The latency in ns that a share `q` (0 to 1) did not exceed; 0 if there is none.
    pub fn quantile(&self, q: f64) -> u64 {
        self.histogram().value_at_quantile(q)
    }

    /// For more than one question: the counts of a packed one are unpacked once only.
    pub fn histogram(&self) -> Cow<'_, Histogram<u64>> {
        match &self.0 {
            State::Empty => Cow::Owned(new()),
            State::Open(histogram) => Cow::Borrowed(histogram),
            State::Packed(bytes) => Cow::Owned(unpack(bytes).expect("packed here, or checked")),
        }
    }

    /// Gives memory back when nothing more will be recorded soon.
    pub fn pack(&mut self) {
        if let State::Open(histogram) = &self.0 {
            self.0 = if histogram.is_empty() {
                State::Empty
            } else {
                State::Packed(pack(histogram).into())
            };
        }
    }

    /// V2, compressed, as every HdrHistogram library reads it.
    pub fn to_v2(&self) -> Vec<u8> {
        match &self.0 {
            State::Packed(bytes) => bytes.to_vec(),
            _ => pack(&self.histogram()),
        }
    }

    /// Takes what [`Latencies::to_v2`] or another library made.
    pub fn from_v2(bytes: &[u8]) -> Result<Self, LatenciesError> {
        Ok(Self::from(&unpack(bytes).map_err(LatenciesError)?))
    }

    fn open(&mut self) -> &mut Histogram<u64> {
        if !matches!(self.0, State::Open(_)) {
            self.0 = State::Open(Box::new(self.histogram().into_owned()));
        }
        match &mut self.0 {
            State::Open(histogram) => histogram,
            _ => unreachable!("opened above"),
        }
    }
}

/// Packs what was recorded elsewhere, in ns.
impl From<&Histogram<u64>> for Latencies {
    fn from(recorded: &Histogram<u64>) -> Self {
        if recorded.is_empty() {
            return Self::default();
        }
        if (recorded.low(), recorded.high(), recorded.sigfig()) == (1, MOST, DIGITS) {
            return Self(State::Packed(pack(recorded).into()));
        }
        let mut own = new();
        for value in recorded.iter_recorded() {
            let ns = value.value_iterated_to().clamp(1, MOST);
            own.saturating_record_n(ns, value.count_at_value());
        }
        Self(State::Packed(pack(&own).into()))
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut latencies = Self::default();
        for duration in durations {
            latencies.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        }
        latencies
    }
}

fn new() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MOST, DIGITS).expect("the bounds are constants that fit")
}

fn pack(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("memory takes all, and the counts fit");
    bytes
}

fn unpack(bytes: &[u8]) -> Result<Histogram<u64>, String> {
    let mut rest = bytes;
    let histogram =
        Deserializer::new().deserialize::<u64, _>(&mut rest).map_err(|error| error.to_string())?;
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_is_the_same() {
        let mut open = Latencies::default();
        for ns in [1, 900, 20_000, 20_000, 5_000_000, MOST] {
            open.record(ns);
        }
        let mut packed = open.clone();
        packed.pack();
        assert!(matches!(packed.0, State::Packed(_)));
        assert_eq!(packed.histogram(), open.histogram());
        let mut twice = packed.clone();
        twice.add(&open);
        assert_eq!(twice.count(), 12);
        assert_eq!(twice.quantile(0.5), open.quantile(0.5));
        let back = Latencies::from_v2(&open.to_v2()).expect("made by to_v2");
        assert_eq!(back.histogram(), open.histogram());
    }

    #[test]
    fn extremes_are_clamped() {
        let mut latencies = Latencies::default();
        latencies.record(0);
        latencies.record(u64::MAX);
        assert_eq!(latencies.histogram().min(), 1);
        assert_eq!(latencies.quantile(1.0), latencies.histogram().highest_equivalent(MOST));
    }

    #[test]
    fn empty() {
        let mut none = Latencies::default();
        none.pack();
        none.add(&Latencies::default());
        assert_eq!((none.count(), none.quantile(0.99)), (0, 0));
        assert_eq!(Latencies::from_v2(&none.to_v2()).expect("an empty one").count(), 0);
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(Latencies::from_v2(b"").is_err());
        assert!(Latencies::from_v2(b"HISTFAAAA and more of it").is_err());
        let mut cut = [1_u64, 2, 3].map(Duration::from_nanos).into_iter().collect::<Latencies>();
        cut.pack();
        let bytes = cut.to_v2();
        assert!(Latencies::from_v2(&bytes[..bytes.len() - 9]).is_err());
    }
}
