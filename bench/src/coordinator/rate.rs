//! Requests per second, from submission to the outcome.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::load::{Load, Plan};
use super::options::CoordinatorOptions;
use super::pins::Pins;
use super::process;
use super::stage::Stage;
use super::work::Work;

/// One round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RateRun {
    pub wall_s: f64,
    pub requests_per_second: f64,
    /// Of the coordinator's thread; in steps of a clock tick.
    pub coordinator_cpu_s: f64,
    /// Of clients and null movers.
    pub others_cpu_s: f64,
    /// Requests per second of CPU time of the coordinator; none in a round too short for a tick.
    pub requests_per_cpu_second: Option<f64>,
}

pub(super) fn round(options: &CoordinatorOptions, pins: &Pins) -> Result<RateRun> {
    let mut stage = Stage::start(pins, options)?;
    stage.join(options.nodes, Duration::ZERO)?;
    let mut clients = Vec::new();
    for number in 0..options.clients {
        clients.push((number, stage.client(&format!("load-{number}"))?));
    }
    let (own_before, all_before) = process::cpu_seconds()?;
    let began = Instant::now();
    let mut loads = Vec::new();
    for (number, control) in clients {
        let extra = u32::from(number < options.requests % options.clients);
        let requests = options.requests / options.clients + extra;
        let work = Work::new(control.session, number, options.names);
        let plan = Plan { requests, batch: options.batch, open: options.open };
        loads.push(Load::start(control, work, plan)?);
    }
    let mut done = 0;
    for load in loads {
        done += load.end()?;
    }
    let wall_s = began.elapsed().as_secs_f64();
    let (own, all) = process::cpu_seconds()?;
    stage.end()?;
    ensure!(done == u64::from(options.requests), "{done} of {} ended", options.requests);
    let coordinator_cpu_s = own - own_before;
    let per_cpu = done as f64 / coordinator_cpu_s;
    Ok(RateRun {
        wall_s,
        requests_per_second: done as f64 / wall_s,
        coordinator_cpu_s,
        others_cpu_s: (all - all_before - coordinator_cpu_s).max(0.0),
        requests_per_cpu_second: per_cpu.is_finite().then_some(per_cpu),
    })
}
