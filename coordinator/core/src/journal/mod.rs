//! What has to outlive the coordinator: records of what was promised, in blocks, which somebody
//! else keeps. The format is `docs/journal.md`.
//!
//! The blocks are a queue. Records are appended at its head; what is still true of the block at
//! its tail is appended anew before that is dropped, so that the queue stays about twice as long
//! as what is true.

mod clean;
mod keep;
mod record;
mod restore;

use std::collections::VecDeque;

use dray_wire::{Field, Writer};

use crate::limits::{JOURNAL_BEHIND, JOURNAL_BLOCK, JOURNAL_LEAST};
pub use record::BadBlock;
pub(crate) use record::{Record, SubmittedHead};
pub(crate) use restore::Restoring;

/// Version of the format.
//= docs/journal.md#j-1
pub const JOURNAL_VERSION: u16 = 1;

/// Bytes of a block before its records.
const HEAD: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Nothing is recorded unless somebody keeps it.
    on: bool,
    /// Number of the block that records are appended to.
    open_number: u64,
    open: Vec<u8>,
    /// Full blocks that nobody has taken yet.
    full: VecDeque<(u64, Vec<u8>)>,
    /// The last block that is durable.
    kept: u64,
    /// Numbers and bytes of the blocks that are needed, oldest first, but for the open one.
    queue: VecDeque<(u64, u64)>,
    queue_bytes: u64,
    /// The first block that is needed.
    keep_from: u64,
    /// That is being rewritten.
    cleaning: bool,
    /// Requests and bytes ever recorded, for what one takes.
    requests: u64,
    request_bytes: u64,
    /// No request has had a greater generation.
    pub(crate) highest: u32,
    /// Requests ever accepted: the age of the next.
    pub(crate) accepted: u64,
}

impl Journal {
    pub(crate) fn start(&mut self) {
        self.on = true;
        self.open_number = 1;
        self.keep_from = 1;
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Appends a record.
    pub(crate) fn put(&mut self, record: &Record) {
        if !self.on {
            return;
        }
        let mut writer = self.writer();
        record.put(&mut writer);
        self.written(writer);
    }

    /// A block to be written on, behind its head.
    pub(crate) fn writer(&mut self) -> Writer {
        if self.open.len() >= JOURNAL_BLOCK {
            self.close();
        }
        let mut open = std::mem::take(&mut self.open);
        if open.is_empty() {
            open.reserve(if self.full.is_empty() { 4096 } else { JOURNAL_BLOCK * 2 });
            open.extend_from_slice(&[0; HEAD]);
        }
        Writer::after(open)
    }

    pub(crate) fn written(&mut self, writer: Writer) {
        self.open = writer.into_bytes();
    }

    /// So many requests took so many bytes.
    pub(crate) fn count_requests(&mut self, requests: u64, bytes: u64) {
        self.requests += requests;
        self.request_bytes += bytes;
    }

    //= docs/journal.md#j-2
    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut block = std::mem::take(&mut self.open);
        let mut head = Writer::default();
        JOURNAL_VERSION.put(&mut head);
        0_u16.put(&mut head);
        self.highest.put(&mut head);
        block[..HEAD].copy_from_slice(&head.into_bytes());
        self.queue.push_back((self.open_number, block.len() as u64));
        self.queue_bytes += block.len() as u64;
        self.full.push_back((self.open_number, block));
        self.open_number += 1;
    }

    pub(crate) fn take_block(&mut self) -> Option<(u64, Vec<u8>)> {
        if self.full.is_empty() {
            self.close();
        }
        self.full.pop_front()
    }

    /// The block that has to be durable before anything is said that relies on what is recorded.
    pub(crate) fn awaited(&self) -> Option<u64> {
        if !self.on {
            return None;
        }
        let last = if self.open.is_empty() { self.open_number - 1 } else { self.open_number };
        (last > self.kept).then_some(last)
    }

    pub(crate) fn kept(&mut self, number: u64) {
        self.kept = self.kept.max(number);
    }

    pub(crate) fn keep_from(&self) -> u64 {
        self.keep_from
    }

    /// More is recorded than whoever keeps it comes by for.
    pub(crate) fn is_behind(&self) -> bool {
        self.full.len() * JOURNAL_BLOCK > JOURNAL_BEHIND
    }

    /// The oldest block, if the queue is much longer than what `open` requests take.
    pub(crate) fn wants_clean(&self, open: usize) -> Option<u64> {
        let mean = self.request_bytes / self.requests.max(1);
        let most = JOURNAL_LEAST.max(2 * mean * open as u64);
        let (oldest, _) = self.queue.front()?;
        (!self.cleaning && self.queue_bytes > most && *oldest <= self.kept).then_some(*oldest)
    }

    pub(crate) fn begin_clean(&mut self) {
        self.cleaning = true;
    }

    /// What is true of the oldest block is recorded anew.
    pub(crate) fn end_clean(&mut self) {
        self.cleaning = false;
        if let Some((number, bytes)) = self.queue.pop_front() {
            self.queue_bytes -= bytes;
            self.keep_from = number + 1;
        }
    }

    /// A block that was kept before this coordinator.
    pub(crate) fn known(&mut self, number: u64, bytes: u64) {
        self.queue.push_back((number, bytes));
        self.queue_bytes += bytes;
    }

    /// All is read that was kept before: new blocks have these numbers.
    pub(crate) fn go_on(&mut self, next: u64) {
        let next = self.queue.back().map_or(next, |(last, _)| next.max(last + 1)).max(1);
        self.open_number = next;
        self.kept = next - 1;
        self.keep_from = self.queue.front().map_or(next, |(first, _)| *first);
    }
}
