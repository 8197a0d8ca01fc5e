//! How long an interactive restore waits until a node has its order.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::options::CoordinatorOptions;
use super::pins::Pins;
use super::quantiles::{Quantiles, Times};
use super::stage::{Control, Stage};
use super::work::Work;

/// Between two restores. Not a divisor of the usual time of an order, so that they do not meet
/// orders always at the same place.
const PAUSE: Duration = Duration::from_micros(1370);
/// An order that has not come after this long will not come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Archives of this size come 1,024 to an order, or, of the other, 3.
const SMALL: u64 = 64 << 10;
const LARGE: u64 = 64 << 20;

#[derive(Clone, Debug, Serialize)]
pub struct RestoreWait {
    pub idle: Quantiles,
    pub behind: Vec<Behind>,
}

/// With archives queued and being worked on.
#[derive(Clone, Debug, Serialize)]
pub struct Behind {
    pub archives: u32,
    pub file_bytes: u64,
    pub order_us: u32,
    #[serde(flatten)]
    pub wait: Quantiles,
    /// To those of the idle system.
    pub p50_ratio: f64,
    pub p99_ratio: f64,
}

pub(super) fn measure(options: &CoordinatorOptions, pins: &Pins) -> Result<RestoreWait> {
    let idle = session(options, pins, None)?;
    let mut behind = Vec::new();
    for file_bytes in [SMALL, LARGE] {
        let wait = session(options, pins, Some(file_bytes))?;
        let ratio = |behind: u64, idle: u64| behind as f64 / idle as f64;
        behind.push(Behind {
            archives: options.archives,
            file_bytes,
            order_us: options.order_us,
            wait,
            p50_ratio: ratio(wait.p50_ns, idle.p50_ns),
            p99_ratio: ratio(wait.p99_ns, idle.p99_ns),
        });
    }
    Ok(RestoreWait { idle, behind })
}

/// Times restores on a fresh coordinator, with archives of a size queued or with none.
fn session(options: &CoordinatorOptions, pins: &Pins, archives: Option<u64>) -> Result<Quantiles> {
    let mut stage = Stage::start(pins, options)?;
    // One, so that it is known where the orders come.
    stage.join(1, Duration::from_micros(options.order_us.into()))?;
    let mut user = stage.client("user")?;
    let mut restores = Work::new(user.session, 0, options.names).silent().restores();
    let mut batch = stage.client("archives")?;
    let mut queued = Work::new(batch.session, 1, options.names).silent();
    queued.file_bytes = archives.unwrap_or(SMALL);
    let mut times = Times::default();
    while times.len() < options.restores as usize {
        if archives.is_some() {
            refill(&mut batch, &mut queued, options)?;
        }
        // Looking at the queue takes the coordinator's time too: not after each.
        for _ in 0..TURN {
            let arrivals = &stage.movers[0].arrivals;
            times.add(one(&mut user, &mut restores, arrivals)?);
            std::thread::sleep(PAUSE);
            if times.len() == options.restores as usize {
                break;
            }
        }
    }
    stage.end()?;
    times.quantiles().context("nothing was restored")
}

/// Restores between two looks at the queue: so few that much of it is left meanwhile.
const TURN: usize = 16;

/// Queues archives up to the length that is wanted; not while a restore is timed.
fn refill(control: &mut Control, work: &mut Work, options: &CoordinatorOptions) -> Result<()> {
    let mut missing = options.archives.saturating_sub(control.queued()?);
    while missing > 0 {
        let count = missing.min(options.batch);
        control.submit(work.submit(count))?;
        missing -= count;
    }
    Ok(())
}

fn one(user: &mut Control, work: &mut Work, arrivals: &Receiver<Instant>) -> Result<Duration> {
    let request = user.link.prepare(&work.submit(1).into());
    let began = Instant::now();
    user.link.send()?;
    let arrived = match arrivals.recv_timeout(PATIENCE) {
        Ok(arrived) => arrived,
        Err(RecvTimeoutError::Timeout) => bail!("a restore was not ordered"),
        Err(RecvTimeoutError::Disconnected) => bail!("the null mover has ended"),
    };
    user.link.answer(request)?;
    Ok(arrived.saturating_duration_since(began))
}
