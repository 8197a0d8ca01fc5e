//! A client that keeps the coordinator busy: one thread submits, one hears of the outcomes.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use dray_wire::{Message, Status};

use super::link::Link;
use super::stage::Control;
use super::work::Work;

/// Submissions without an answer: below the credits, and enough that the coordinator has the next
/// one when it is done with this.
const DEPTH: u32 = 16;

/// What one thread tells the other.
#[derive(Default)]
struct Ledger {
    /// Submissions without an answer.
    waiting: u32,
    /// Requests without an outcome.
    open: u32,
    /// The reader has ended.
    over: bool,
}

#[derive(Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    changed: Condvar,
}

impl Shared {
    fn locked(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a client goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) requests: u32,
    pub(super) batch: u32,
    /// Requests that may be without an outcome.
    pub(super) open: u32,
}

pub(super) struct Load {
    writer: JoinHandle<Result<()>>,
    reader: JoinHandle<Result<u64>>,
}

impl Load {
    pub(super) fn start(control: Control, work: Work, plan: Plan) -> Result<Self> {
        let Control { mut link, .. } = control;
        let first = link.number();
        let stream = link.writer()?;
        let shared = Arc::new(Shared::default());
        let other = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let heard = hear(link, plan.requests, &other);
            other.locked().over = true;
            other.changed.notify_all();
            heard
        });
        let writer = std::thread::spawn(move || submit(stream, work, plan, first, &shared));
        Ok(Self { writer, reader })
    }

    /// Waits until every request has ended; how many were moved.
    pub(super) fn end(self) -> Result<u64> {
        let done = self.reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(done)
    }
}

fn submit(
    mut stream: UnixStream,
    mut work: Work,
    plan: Plan,
    first: u64,
    shared: &Shared,
) -> Result<()> {
    let (mut left, mut request, mut bytes) = (plan.requests, first, Vec::new());
    while left > 0 {
        let count = plan.batch.min(left);
        bytes.clear();
        dray_wire::encode(&work.submit(count).into(), request, &mut bytes);
        {
            let mut ledger = shared.locked();
            while !ledger.over
                && (ledger.waiting >= DEPTH || (ledger.open > 0 && ledger.open + count > plan.open))
            {
                ledger = shared.changed.wait(ledger).unwrap_or_else(PoisonError::into_inner);
            }
            if ledger.over {
                return Ok(());
            }
            ledger.waiting += 1;
            ledger.open += count;
        }
        stream.write_all(&bytes).context("submit")?;
        (left, request) = (left - count, request + 1);
    }
    Ok(())
}

/// Hears until so many requests have ended.
fn hear(mut link: Link, requests: u32, shared: &Shared) -> Result<u64> {
    let mut done = 0;
    while done < u64::from(requests) {
        let (_, message) = link.next()?;
        match message {
            Message::Accepted(_) => shared.locked().waiting -= 1,
            Message::Outcomes(it) => {
                for outcome in &it.outcomes.0 {
                    ensure!(outcome.status == Status::DONE, "{}: {}", outcome.status, outcome.text);
                }
                done += it.outcomes.0.len() as u64;
                shared.locked().open -= it.outcomes.0.len() as u32;
            }
            other => bail!("{} was not asked for", other.kind()),
        }
        shared.changed.notify_one();
    }
    Ok(done)
}
