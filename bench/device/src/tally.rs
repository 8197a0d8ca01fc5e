//! What one core counts.

use hdrhistogram::Histogram;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Flush,
}

/// ns. Whoever waits longer has given up; longer waits count as this.
const LONGEST: u64 = 3600 * 1_000_000_000;

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are constants that fit")
}

/// Requests of one kind that ended.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub ios: u64,
    pub bytes: u64,
    /// Moved fewer bytes than asked.
    pub short: u64,
    pub errors: u64,
    /// ns from submission to completion.
    pub service: Histogram<u64>,
    /// ns from the intended start to completion; `None` in a closed loop, where a request is
    /// intended when it is submitted.
    pub response: Option<Histogram<u64>>,
}

impl Side {
    fn new(open: bool) -> Self {
        let response = open.then(histogram);
        Self { ios: 0, bytes: 0, short: 0, errors: 0, service: histogram(), response }
    }

    fn add(&mut self, other: &Self) {
        const SAME: &str = "made with the same bounds";
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.short += other.short;
        self.errors += other.errors;
        if other.ios == 0 {
            return;
        }
        self.service.add(&other.service).expect(SAME);
        if let (Some(mine), Some(others)) = (&mut self.response, &other.response) {
            mine.add(others).expect(SAME);
        }
    }

    fn clear(&mut self) {
        if self.ios > 0 {
            self.service.reset();
            if let Some(response) = &mut self.response {
                response.reset();
            }
        }
        (self.ios, self.bytes, self.short, self.errors) = (0, 0, 0, 0);
    }
}

/// Requests of all kinds that ended.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub read: Side,
    pub write: Side,
    pub flush: Side,
}

impl Tally {
    /// `open` if intended starts are other than submissions.
    pub(crate) fn new(open: bool) -> Self {
        Self { read: Side::new(open), write: Side::new(open), flush: Side::new(open) }
    }

    pub(crate) fn side(&mut self, kind: Kind) -> &mut Side {
        match kind {
            Kind::Read => &mut self.read,
            Kind::Write => &mut self.write,
            Kind::Flush => &mut self.flush,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.read.add(&other.read);
        self.write.add(&other.write);
        self.flush.add(&other.flush);
    }

    pub(crate) fn clear(&mut self) {
        self.read.clear();
        self.write.clear();
        self.flush.clear();
    }

    /// Reads and writes; a flush is not counted as one.
    pub(crate) fn ios(&self) -> u64 {
        self.read.ios + self.write.ios
    }

    #[inline]
    pub(crate) fn record(&mut self, kind: Kind, bytes: u32, service: u64, response: u64) {
        let side = self.side(kind);
        side.ios += 1;
        side.bytes += u64::from(bytes);
        side.service.saturating_record(service);
        if let Some(responses) = &mut side.response {
            responses.saturating_record(response);
        }
    }
}
