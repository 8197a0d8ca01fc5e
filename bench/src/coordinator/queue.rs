//! What submitting, cancelling and listing cost at lengths of the queue. No node is there, so the
//! lengths stay.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dray_wire::messages::{Cancel, ListRequests};
use dray_wire::{List, Message, RequestId, SessionId};

use super::options::CoordinatorOptions;
use super::pins::Pins;
use super::process;
use super::quantiles::{Quantiles, Times};
use super::stage::{Control, Stage, accepted};
use super::work::Work;
use crate::interrupt;

/// Submissions timed at each length in each round: enough for the hundredth of them.
const SUBMISSIONS: u32 = 500;
/// Requests cancelled one by one.
const CANCELS: u32 = 1000;
/// Entries of a page.
const PAGE: u32 = 4096;
/// How often it is looked whether the queue is empty.
const LOOK: Duration = Duration::from_millis(1);

/// What was found at one length in one round.
pub(super) struct AtLength {
    pub(super) enqueue: Quantiles,
    /// Submissions while it was filled: they show what growing costs now and then.
    pub(super) fill: Option<Quantiles>,
    pub(super) cancel: Quantiles,
    /// Requests per second; none of an empty queue.
    pub(super) list: Option<f64>,
    pub(super) drain: Option<f64>,
    /// Seconds.
    pub(super) restart: Option<f64>,
}

/// Measures at each of these lengths, each in a coordinator of its own. Submissions to them are
/// made in turn: a disk that is slower after a gigabyte has been written, as filling the longest
/// does, is slower for all of them.
pub(super) fn at_lengths(
    options: &CoordinatorOptions,
    pins: &Pins,
    lengths: &[u32],
) -> Result<Vec<AtLength>> {
    let mut queues = Vec::new();
    for length in lengths {
        let queue = Queue::fill(options, pins, *length);
        queues.push(queue.with_context(|| format!("queue {length}"))?);
    }
    let enqueued = enqueue(&mut queues, options.batch)?;
    let mut found = Vec::new();
    for (queue, enqueue) in queues.into_iter().zip(enqueued) {
        let length = queue.length;
        let at = queue.finish(options, pins, enqueue);
        found.push(at.with_context(|| format!("{length} queued"))?);
        interrupt::check()?;
    }
    Ok(found)
}

/// A coordinator with a queue.
struct Queue {
    length: u32,
    stage: Stage,
    control: Control,
    work: Work,
    /// Of the submissions that filled it.
    fill: Option<Quantiles>,
    /// Requests from all over the queue.
    some: Vec<RequestId>,
}

impl Queue {
    fn fill(options: &CoordinatorOptions, pins: &Pins, length: u32) -> Result<Self> {
        let stage = Stage::start(pins, &with_own_socket(options, length))?;
        let mut control = stage.client("queue")?;
        let mut work = Work::new(control.session, 0, options.names).silent();
        let (fill, some) = fill(&mut control, &mut work, length, options.batch)?;
        Ok(Self { length, stage, control, work, fill, some })
    }

    /// Everything but submitting.
    fn finish(
        self,
        options: &CoordinatorOptions,
        pins: &Pins,
        enqueue: Quantiles,
    ) -> Result<AtLength> {
        let Self { length, mut stage, mut control, mut work, fill, some } = self;
        let list = if length > 0 { Some(list(&mut control)?) } else { None };
        let cancel = cancel(&mut control, &mut work, some)?;
        let mut restart = None;
        if stage.is_durable() {
            let before = control.queued()?;
            let (again, time) = stage.restart(pins, &control, "queue")?;
            control = again;
            let after = control.queued()?;
            ensure!(after == before, "{after} of {before} requests are left after a restart");
            restart = Some(time.as_secs_f64());
        }
        let mut drained = None;
        if length > 0 {
            let left = control.queued()?;
            let began = Instant::now();
            stage.join(options.nodes, Duration::ZERO)?;
            while control.queued()? > 0 {
                std::thread::sleep(LOOK);
            }
            drained = Some(f64::from(left) / began.elapsed().as_secs_f64());
        }
        stage.end()?;
        Ok(AtLength { enqueue, fill, cancel, list, drain: drained, restart })
    }
}

/// Several coordinators cannot listen at one place.
fn with_own_socket(options: &CoordinatorOptions, length: u32) -> CoordinatorOptions {
    let mut own = options.clone();
    if let Some(path) = &mut own.listen {
        path.as_mut_os_string().push(format!(".{length}"));
    }
    own
}

/// Resident memory that queued requests take, in bytes for each. To be asked before anything has
/// made the process grow: memory that was freed would be used again and not show.
pub(super) fn bytes_per_request(
    options: &CoordinatorOptions,
    pins: &Pins,
    length: u32,
) -> Result<f64> {
    let stage = Stage::start(pins, options)?;
    let mut control = stage.client("memory")?;
    let mut work = Work::new(control.session, 0, options.names).silent();
    // Buffers of both ends have their size after one submission.
    control.submit(work.submit(options.batch))?;
    let before = process::resident()?;
    fill(&mut control, &mut work, length, options.batch)?;
    let grown = process::resident()?.saturating_sub(before);
    stage.end()?;
    Ok(grown as f64 / f64::from(length))
}

fn timed_submission(control: &mut Control, work: &mut Work, count: u32) -> Result<Timed> {
    let request = control.link.prepare(&work.submit(count).into());
    let began = Instant::now();
    control.link.send()?;
    let answer = control.link.answer(request)?;
    Ok((began.elapsed(), accepted(answer)?))
}

type Timed = (Duration, Vec<RequestId>);

/// Queues so many requests; how long the submissions took, and some requests from all over.
fn fill(
    control: &mut Control,
    work: &mut Work,
    length: u32,
    batch: u32,
) -> Result<(Option<Quantiles>, Vec<RequestId>)> {
    let (mut left, mut times, mut some) = (length, Times::default(), Vec::new());
    let every = (length / CANCELS).max(1);
    while left > 0 {
        let count = batch.min(left);
        let (time, requests) = timed_submission(control, work, count)?;
        ensure!(requests.len() == count as usize, "not all were accepted");
        let first = length - left;
        let ids = requests.iter().zip(first..).filter(|(_, at)| at % every == 0);
        some.extend(ids.map(|(id, _)| *id));
        times.add(time);
        left -= count;
    }
    Ok((times.quantiles(), some))
}

/// Submissions that are cancelled again, so that each queue keeps its length; to one queue after
/// the other.
fn enqueue(queues: &mut [Queue], batch: u32) -> Result<Vec<Quantiles>> {
    let mut times: Vec<_> = queues.iter().map(|_| Times::default()).collect();
    for _ in 0..SUBMISSIONS {
        for (Queue { control, work, .. }, times) in queues.iter_mut().zip(&mut times) {
            let (time, requests) = timed_submission(control, work, batch)?;
            times.add(time);
            control.cancel(requests)?;
        }
    }
    times.into_iter().map(|it| it.quantiles().context("nothing was submitted")).collect()
}

/// Cancels requests one by one, from all over the queue if it has enough.
fn cancel(control: &mut Control, work: &mut Work, some: Vec<RequestId>) -> Result<Quantiles> {
    let mut times = Times::default();
    let mut some = some.into_iter();
    for _ in 0..CANCELS {
        let id = match some.next() {
            Some(id) => id,
            None => control.submit(work.submit(1))?[0],
        };
        let cancel = Cancel { session: control.session, requests: List(vec![id]) };
        let request = control.link.prepare(&cancel.into());
        let began = Instant::now();
        control.link.send()?;
        let answer = control.link.answer(request)?;
        times.add(began.elapsed());
        ensure!(matches!(answer, Message::Cancelled(_)), "not cancelled but {}", answer.kind());
    }
    times.quantiles().context("nothing was cancelled")
}

/// Requests listed per second, page by page through all.
fn list(control: &mut Control) -> Result<f64> {
    let (mut after, mut listed) = (0, 0);
    let began = Instant::now();
    loop {
        let ask = ListRequests { session: SessionId::NONE, after, limit: PAGE, ..<_>::default() };
        let Message::Requests(page) = control.link.ask(&ask.into())? else { bail!("no page") };
        listed += page.requests.0.len();
        if page.next == 0 {
            return Ok(listed as f64 / began.elapsed().as_secs_f64());
        }
        after = page.next;
    }
}
