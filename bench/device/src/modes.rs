//! What a run consists of, beside one phase of the load: curves, searches, steady state.

use crate::core::Shape;
use crate::error::Error;
use crate::options::{DeviceOptions, RateProcess, Search};
use crate::pace::Pace;
use crate::plan::Plan;
use crate::session::{Flow, Session};
use crate::sizes::Sizes;
use crate::source::{Load, Span};
use crate::steady::{ROUNDS, judge};

/// Bytes per request of preconditioning, as the SNIA specification has it.
const PRECONDITION_BYTES: u32 = 128 << 10;

/// Requests under way during preconditioning.
const PRECONDITION_DEPTH: u32 = 32;

/// How often it writes all of the working set.
const PRECONDITION_TIMES: u64 = 2;

/// Parts of the most a device does among which a rate is searched for.
const RATE_STEPS: u64 = 100;

/// An open loop of so many arrivals per second and core.
fn pace(process: RateProcess, rate: f64) -> Pace {
    match process {
        RateProcess::Linear => Pace::Linear(rate),
        RateProcess::Poisson => Pace::Poisson(rate),
    }
}

/// Writes the working set twice, in order.
pub(crate) fn precondition(session: &mut Session<'_>, plan: &Plan) -> Result<Flow, Error> {
    let load = Load {
        read_percent: 0,
        random: false,
        read_sizes: Sizes::one(PRECONDITION_BYTES),
        write_sizes: Sizes::one(PRECONDITION_BYTES),
        flush: None,
        ..plan.load.clone()
    };
    let all: u64 = session.spans.iter().map(|Span { from, to }| to - from).sum();
    let shape = Shape {
        depth: PRECONDITION_DEPTH,
        submit: PRECONDITION_DEPTH,
        complete_min: 1,
        pace: Pace::Closed,
        ramp: 0,
        time: None,
        ios: None,
        bytes: Some(all / plan.cpus.len() as u64 * PRECONDITION_TIMES),
        seed: plan.shape.seed,
    };
    let slot_bytes = session.stage.slot_bytes;
    session.stage.slot_bytes = PRECONDITION_BYTES;
    let flow = session.load("precondition", &load, &shape);
    session.stage.slot_bytes = slot_bytes;
    flow
}

/// Rounds of the load until the device is in steady state.
pub(crate) fn steady_state(session: &mut Session<'_>, plan: &Plan) -> Result<Flow, Error> {
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        // Only the first has a ramp: the rounds follow one another.
        let ramp = if round == 1 { plan.shape.ramp } else { 0 };
        let shape = Shape { ramp, ..plan.shape.clone() };
        if session.load(&format!("round {round}"), &plan.load, &shape)? == Flow::Over {
            return Ok(Flow::Over);
        }
        rounds.push(session.last_rate());
        if let Some(steady) = judge(&rounds) {
            let attained = steady.attained;
            session.set_steady(steady);
            if attained {
                break;
            }
        }
    }
    Ok(Flow::On)
}

/// The most that is done in a closed loop, then open loops at parts of that.
pub(crate) fn curve(
    session: &mut Session<'_>,
    plan: &Plan,
    options: &DeviceOptions,
) -> Result<Flow, Error> {
    if session.load("closed loop", &plan.load, &plan.shape)? == Flow::Over {
        return Ok(Flow::Over);
    }
    let most = session.last_rate() / plan.cpus.len() as f64;
    for percent in options.curve.iter().flatten() {
        let pace = pace(options.rate_process, most * f64::from(*percent) / 100.0);
        let shape = Shape { pace, ..plan.shape.clone() };
        if session.load(&format!("{percent} %"), &plan.load, &shape)? == Flow::Over {
            return Ok(Flow::Over);
        }
    }
    Ok(Flow::On)
}

/// Searches for the greatest depth, or rate, at which the percentile stays within the target.
pub(crate) fn latency_target(
    session: &mut Session<'_>,
    plan: &Plan,
    options: &DeviceOptions,
) -> Result<Flow, Error> {
    let target = options.latency_target.map_or(u64::MAX, |target| target.as_nanos() as u64);
    let quantile = options.latency_percentile() / 100.0;
    let window =
        Shape { time: Some(options.latency_window().as_nanos() as u64), ..plan.shape.clone() };
    let mut most = 0.0;
    if options.latency_search == Search::Rate {
        if session.load("closed loop", &plan.load, &window)? == Flow::Over {
            return Ok(Flow::Over);
        }
        most = session.last_rate() / plan.cpus.len() as f64;
    }
    let shape_of = |step: u64, from: &Shape| match options.latency_search {
        Search::Depth => {
            let depth = step as u32;
            let within = |of: u32| of.min(depth);
            let (submit, complete_min) = (within(from.submit), within(from.complete_min));
            Shape { depth, submit, complete_min, ..from.clone() }
        }
        Search::Rate => {
            let rate = most * step as f64 / RATE_STEPS as f64;
            Shape { pace: pace(options.rate_process, rate), ..from.clone() }
        }
    };
    let steps = match options.latency_search {
        Search::Depth => u64::from(plan.shape.depth),
        Search::Rate => RATE_STEPS,
    };
    let mut flow = Flow::On;
    let found = greatest(steps, |step| {
        if flow == Flow::Over {
            return Ok::<bool, Error>(false);
        }
        flow = session.load(&format!("try {step}"), &plan.load, &shape_of(step, &window))?;
        let met = session.last_response(quantile) <= target;
        session.note(format!(
            "try {step}: p{} is {} us",
            options.latency_percentile(),
            session.last_response(quantile) / 1000
        ));
        Ok(met)
    })?;
    if flow == Flow::Over {
        return Ok(flow);
    }
    match found {
        Some(step) => session.load("target", &plan.load, &shape_of(step, &plan.shape)),
        None => {
            session
                .note("the target cannot be met: not even the least load stays within it".into());
            Ok(Flow::On)
        }
    }
}

/// The greatest of 1 to `most` for which `holds`, if it holds up to some number and not beyond.
fn greatest<E>(most: u64, mut holds: impl FnMut(u64) -> Result<bool, E>) -> Result<Option<u64>, E> {
    if holds(most)? {
        return Ok(Some(most));
    }
    // It holds for `yes` (0 stands for none) and not for `no`.
    let (mut yes, mut no) = (0, most);
    while no - yes > 1 {
        let middle = yes.midpoint(no);
        if holds(middle)? {
            yes = middle;
        } else {
            no = middle;
        }
    }
    Ok((yes > 0).then_some(yes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_greatest_is_found_with_few_tries(most in 1_u64..5000, limit in 0_u64..6000) {
            let mut tries = 0;
            let found = greatest(most, |step| {
                tries += 1;
                Ok::<bool, ()>(step <= limit)
            });
            let expected = limit.min(most);
            prop_assert_eq!(found, Ok((expected > 0).then_some(expected)));
            prop_assert!(tries <= 15, "{} tries", tries);
        }
    }
}
