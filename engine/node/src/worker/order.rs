//! An order under way, and the answers to its items.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dray_mover::Entry;
use dray_wire::messages::{ItemResult, Order, OrderDone};
use dray_wire::{Bytes, Class, Epoch, List, OrderId, Reason, Status, Step, Text, Verb};
use tokio::sync::mpsc::UnboundedSender;

/// Answers in one message, so that those who wait for the first do not wait for the last.
const RESULTS: usize = 256;

/// Bytes of texts and receipts at which they are sent, too: half a frame, so that one more fits.
const RESULT_BYTES: usize = dray_wire::limits::BODY_MAX / 2;

/// Moved by no core in particular.
pub(crate) const NO_CORE: u16 = u16::MAX;

/// For the coordinator.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) done: OrderDone,
    /// Nothing of the order is left.
    pub(crate) over: bool,
}

#[derive(Debug)]
pub(crate) struct OrderState {
    pub(crate) id: OrderId,
    epoch: Epoch,
    pub(crate) verb: Verb,
    pub(crate) step: Step,
    pub(crate) class: Class,
    cancelled: Mutex<HashSet<u32>>,
    answers: Mutex<Answers>,
    reports: UnboundedSender<Report>,
}

#[derive(Debug)]
struct Answers {
    results: Vec<ItemResult>,
    bytes: usize,
    left: usize,
}

impl OrderState {
    pub(crate) fn new(order: &Order, reports: UnboundedSender<Report>) -> Self {
        Self {
            id: order.order,
            epoch: order.epoch,
            verb: order.verb,
            step: order.step,
            class: order.class,
            cancelled: Mutex::default(),
            answers: Mutex::new(Answers {
                results: Vec::new(),
                bytes: 0,
                left: order.items.0.len(),
            }),
            reports,
        }
    }

    pub(crate) fn cancel(&self, items: &[u32]) {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
    }

    pub(crate) fn is_cancelled(&self, index: u32) -> bool {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).contains(&index)
    }

    /// Answers an item; whether that was the last.
    pub(crate) fn answer(&self, result: ItemResult) -> bool {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.bytes += result.text.as_str().len() + result.receipt.as_slice().len();
        answers.results.push(result);
        answers.left -= 1;
        let over = answers.left == 0;
        let many = answers.results.len() >= RESULTS || answers.bytes >= RESULT_BYTES;
        if over || many {
            answers.bytes = 0;
            self.send(std::mem::take(&mut answers.results), over);
        }
        over
    }

    /// Says that an order without items is done.
    pub(crate) fn answer_nothing(&self) {
        self.send(Vec::new(), true);
    }

    fn send(&self, results: Vec<ItemResult>, over: bool) {
        let results = List(results);
        let done = OrderDone { epoch: self.epoch, order: self.id, results };
        // Nobody listens any more when the connection is gone, and the coordinator knows.
        let _ = self.reports.send(Report { done, over });
    }
}

/// An item of an order on its way through the engine.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) order: Arc<OrderState>,
    pub(crate) index: u32,
    pub(crate) entry: Entry,
    /// What earlier steps left.
    pub(crate) receipt: Arc<[u8]>,
    /// Its place was found by the handle; there is no other way to look for it.
    pub(crate) by_handle: bool,
}

pub(crate) fn done(bytes: u64) -> ItemResult {
    ItemResult { status: Status::DONE, bytes, core: NO_CORE, ..ItemResult::default() }
}

pub(crate) fn nothing(why: &str) -> ItemResult {
    ItemResult { text: Text::new(why), status: Status::NOTHING, core: NO_CORE, ..done(0) }
}

pub(crate) fn ended(status: Status, reason: Reason, text: &str) -> ItemResult {
    ItemResult { status, reason, text: Text::new(text), ..done(0) }
}

/// The first line says what is wrong, the second what to do.
pub(crate) fn failed(error: &dray_mover::Error) -> ItemResult {
    use dray_archive::Error as Archive;
    use dray_mover::Error;
    let reason = match error {
        Error::AnotherFile { .. } => Reason::WRONG_FILE,
        Error::LeaseEnded { .. } => Reason::LEASE_ENDED,
        other if other.is_no_space() => Reason::NO_SPACE,
        Error::Archive(Archive::Damaged { .. } | Archive::DamagedData { .. }) => Reason::DAMAGE,
        Error::Archive(Archive::AllInUse { .. }) => Reason::LATER,
        other if other.is_transient() => Reason::LATER,
        _ => Reason::FAILED,
    };
    ended(Status::FAILED, reason, &format!("{error}\n{}", error.advice()))
}

pub(crate) fn receipt(bytes: Vec<u8>) -> Option<Bytes<{ dray_wire::limits::RECEIPT_MAX }>> {
    Bytes::new(bytes)
}

/// Until when this node may act, on its own clock.
#[derive(Debug)]
pub(crate) struct Lease {
    began: Instant,
    until_ns: AtomicU64,
}

impl Lease {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), until_ns: AtomicU64::new(0) }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Counted from when the request for it was sent.
    pub(crate) fn extend(&self, sent_ns: u64, lease_ms: u32) {
        let until = sent_ns.saturating_add(u64::from(lease_ms) * 1_000_000);
        self.until_ns.fetch_max(until, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.until_ns.store(0, Ordering::Relaxed);
    }

    pub(crate) fn left_ns(&self) -> u64 {
        self.until_ns.load(Ordering::Relaxed).saturating_sub(self.now_ns())
    }
}
