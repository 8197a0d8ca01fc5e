//! What was counted, as the model of results has it.

use std::time::Duration;

use dray_results::{Direction, Directions, Interval, IoFailure, Kind, Latencies};

use crate::core::INTERVAL;
use crate::error::{Cause, Failed};
use crate::tally::{self, Side, Tally};
use crate::target::Target;

fn direction(side: &Side) -> Direction {
    Direction {
        ios: side.ios,
        bytes: side.bytes,
        short: side.short,
        errors: side.errors,
        service: Latencies::from(&side.service),
        from_intended: side.response.as_ref().map(Latencies::from),
    }
}

pub(crate) fn directions(tally: &Tally) -> Directions {
    Directions {
        read: direction(&tally.read),
        write: direction(&tally.write),
        flush: direction(&tally.flush),
    }
}

pub(crate) fn interval(number: u64, tally: &Tally) -> Interval {
    Interval {
        start: Duration::from_nanos(number * INTERVAL),
        length: Duration::from_nanos(INTERVAL),
        directions: directions(tally),
    }
}

pub(crate) fn failure(failed: &Failed, targets: &[Target]) -> IoFailure {
    let errno = match &failed.cause {
        Cause::Kernel(error) | Cause::Ring(error) => error.raw_os_error(),
        Cause::End | Cause::Damage(_) => None,
    };
    IoFailure {
        kind: match failed.io.kind {
            tally::Kind::Read => Kind::Read,
            tally::Kind::Write => Kind::Write,
            tally::Kind::Flush => Kind::Flush,
        },
        target: targets[failed.io.target as usize].path.display().to_string(),
        offset: failed.io.at,
        length: u64::from(failed.io.len),
        errno,
        cause: failed.cause.to_string(),
        after: Duration::from_nanos(failed.after),
    }
}
