//! The journal of the coordinator that leads.

use std::ops::Range;

use etcd_client::{Client, Compare, CompareOp, DeleteOptions, GetOptions, KeyValue};
use etcd_client::{SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse};
use tokio::runtime::Runtime;

use super::EtcdSetup;
use super::head::{self, NotAHead};
use super::members::{Members, Pace};
use crate::error::{Error, Result};
use crate::frame;
use crate::limits::{ETCD_AGAIN, ETCD_COMPACT_BYTES, ETCD_MESSAGE_BYTES, ETCD_PAGE_BLOCKS};
use crate::limits::{ETCD_PATIENCE, ETCD_TXN_BLOCKS, ETCD_TXN_BYTES};
use crate::span::Span;
use crate::store::{Block, Store};

/// The journal in an etcd, for as long as its user leads.
pub struct Etcd {
    setup: EtcdSetup,
    members: Members,
    epoch: u64,
    span: Span,
    /// Revision of the last change of `head`; 0 if there is none.
    revision: i64,
    /// Whether `head` is as noted here: not after a transaction of unknown outcome.
    known: bool,
    /// Bytes since history was compacted.
    written: usize,
    /// Each call waits for its answer in here; last, so that connections end before it.
    runtime: Runtime,
}

/// What a transaction came to.
enum Outcome {
    Done {
        revision: i64,
    },
    /// `head` was not as noted; it is this.
    Other(Option<KeyValue>),
    Deposed,
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, span, .. } = self;
        f.debug_struct("Etcd").field("epoch", epoch).field("span", span).finish_non_exhaustive()
    }
}

impl Etcd {
    /// Opens the journal for the coordinator of this epoch, which leads. Blocks; not to be called
    /// from a runtime.
    pub fn open(setup: EtcdSetup, epoch: u64) -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(Error::Runtime)?;
        let pace = Pace { again: ETCD_AGAIN, patience: ETCD_PATIENCE };
        let members = runtime.block_on(Members::new(&setup, pace))?;
        let (span, revision, known, written) = (Span::EMPTY, 0, false, 0);
        let mut store = Self { setup, members, epoch, span, revision, known, written, runtime };
        store.look()?;
        Ok(store)
    }

    fn at(&self) -> String {
        self.setup.key("")
    }

    /// Reads `head`, if it is not known.
    fn look(&mut self) -> Result<()> {
        if self.known {
            return Ok(());
        }
        let key = self.setup.head_key();
        let asked = async |mut client: Client| client.get(key.clone(), None).await;
        let got = self.runtime.block_on(self.members.ask("read from", asked))?;
        self.note(got.kvs().first())
    }

    fn note(&mut self, found: Option<&KeyValue>) -> Result<()> {
        (self.span, self.revision) = match found {
            None => (Span::EMPTY, 0),
            Some(pair) => (self.decode(pair)?, pair.mod_revision()),
        };
        self.known = true;
        Ok(())
    }

    fn decode(&self, pair: &KeyValue) -> Result<Span> {
        head::decode(pair.value()).map_err(|why| match why {
            NotAHead::Format(found) => Error::Version { at: self.at(), found },
            NotAHead::Other(why) => Error::NotAStore { path: self.at().into(), why: why.into() },
        })
    }

    /// One transaction: these blocks, and the span with them.
    fn write(&mut self, blocks: &[Block], after: Span) -> Result<()> {
        self.look()?;
        let mut changes = Vec::with_capacity(blocks.len() + 2);
        let mut bytes = 0;
        for block in blocks.iter().filter(|block| block.number >= after.first) {
            let frame = frame::encode(block.number, &block.bytes);
            bytes += frame.len();
            changes.push(TxnOp::put(self.setup.block_key(block.number), frame, None));
        }
        if after.first > self.span.first {
            let end = self.setup.block_key(after.first);
            let range = DeleteOptions::new().with_range(end);
            // All below, also what a late transaction of a coordinator before might have left.
            changes.push(TxnOp::delete(self.setup.block_key(0), Some(range)));
        }
        let value = head::encode(after);
        changes.push(TxnOp::put(self.setup.head_key(), value.clone(), None));
        // Until there is an answer, both are possible.
        self.known = false;
        match self.transact(&changes)? {
            Outcome::Done { revision } => self.revision = revision,
            Outcome::Deposed => return Err(Error::Deposed),
            Outcome::Other(found) => {
                // Only who leads changes it: if it is as it should become, an answer was lost.
                if found.as_ref().is_none_or(|pair| pair.value() != value) {
                    let why = "it was changed by somebody else".to_owned();
                    return Err(Error::NotAStore { path: self.at().into(), why });
                }
                self.revision = found.map_or(0, |pair| pair.mod_revision());
            }
        }
        (self.span, self.known) = (after, true);
        self.written += bytes;
        Ok(())
    }

    fn transact(&mut self, changes: &[TxnOp]) -> Result<Outcome> {
        let (leader, head) = (self.setup.leader_key(), self.setup.head_key());
        let epoch = i64::try_from(self.epoch).unwrap_or(i64::MAX);
        let conditions = [
            Compare::create_revision(leader.clone(), CompareOp::Equal, epoch),
            Compare::mod_revision(head.clone(), CompareOp::Equal, self.revision),
        ];
        let else_say = [TxnOp::get(leader, None), TxnOp::get(head, None)];
        let asked = async |mut client: Client| {
            let txn = Txn::new().when(conditions.clone()).and_then(changes.to_vec());
            client.txn(txn.or_else(else_say.clone())).await
        };
        let answer = self.runtime.block_on(self.members.ask("write to", asked))?;
        if answer.succeeded() {
            let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
            return Ok(Outcome::Done { revision });
        }
        let mut found = answer.op_responses().into_iter().map(|response| match response {
            TxnOpResponse::Get(got) => got.kvs().first().cloned(),
            _ => None,
        });
        let (leader, head) = (found.next().flatten(), found.next().flatten());
        if leader.is_none_or(|pair| !self.is_own(&pair)) {
            return Ok(Outcome::Deposed);
        }
        Ok(Outcome::Other(head))
    }

    fn leads(&mut self) -> Result<bool> {
        let key = self.setup.leader_key();
        let asked = async |mut client: Client| client.get(key.clone(), None).await;
        let got = self.runtime.block_on(self.members.ask("read from", asked))?;
        Ok(got.kvs().first().is_some_and(|pair| self.is_own(pair)))
    }

    /// Whether this was put at the leader's key when this coordinator was elected.
    fn is_own(&self, pair: &KeyValue) -> bool {
        pair.create_revision().unsigned_abs() == self.epoch
    }

    /// Forgets what was overwritten and dropped before the last change.
    fn compact(&mut self) {
        let revision = self.revision;
        let asked = async |mut client: Client| client.compact(revision, None).await;
        // What is not compacted now is the next time; etcd is still whole. It also fails where
        // somebody else has compacted up to a later revision.
        if let Err(error) = self.runtime.block_on(self.members.ask("compact", asked)) {
            tracing::debug!("{error}");
        }
        self.written = 0;
    }

    /// Some of these blocks, in order.
    fn page(&mut self, numbers: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>> {
        let prefix = self.setup.key("journal/");
        let (from, end) = (self.setup.block_key(numbers.start), self.setup.block_key(numbers.end));
        let asked = async |client: Client| {
            let mut client = client.kv_client().max_decoding_message_size(ETCD_MESSAGE_BYTES);
            let range = GetOptions::new().with_range(end.clone()).with_limit(ETCD_PAGE_BLOCKS);
            let range = range.with_sort(SortTarget::Key, SortOrder::Ascend);
            client.get(from.clone(), Some(range)).await
        };
        let got = self.runtime.block_on(self.members.ask("read from", asked))?;
        let number = |pair: &KeyValue| -> Option<u64> {
            std::str::from_utf8(pair.key()).ok()?.strip_prefix(&prefix)?.parse().ok()
        };
        got.kvs()
            .iter()
            .map(|pair| {
                let why = || "a key of its journal is no number".to_owned();
                let number = number(pair)
                    .ok_or_else(|| Error::NotAStore { path: self.at().into(), why: why() })?;
                Ok((number, pair.value().to_vec()))
            })
            .collect()
    }
}

impl Store for Etcd {
    fn load(&mut self, each: &mut dyn FnMut(u64, &[u8]) -> Result<(), String>) -> Result<()> {
        self.look()?;
        let mut met = Span { next: self.span.first, ..self.span };
        while met.next < self.span.next {
            let page = self.page(met.next..self.span.next)?;
            if page.is_empty() {
                return Err(Error::Missing { number: met.next });
            }
            for (number, frame) in page {
                met.meet(number)?;
                let bytes =
                    frame::decode(number, &frame).map_err(|why| Error::BadBlock { number, why })?;
                each(number, &bytes).map_err(|why| Error::Content { number, why })?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, blocks: &[Block], keep_from: u64) -> Result<()> {
        self.look()?;
        let last = self.span.after(blocks, keep_from)?;
        let mut rest = blocks;
        // Dropped with the last: what has to be recorded anew before is in one of the others.
        loop {
            let count = first_of(rest);
            let (some, others) = rest.split_at(count);
            rest = others;
            let after =
                if rest.is_empty() { last } else { self.span.after(some, self.span.first)? };
            self.write(some, after)?;
            if rest.is_empty() {
                break;
            }
        }
        if self.written > ETCD_COMPACT_BYTES {
            self.compact();
        }
        Ok(())
    }

    fn read(&mut self, number: u64) -> Result<Vec<u8>> {
        let found = self.page(number..number + 1)?.pop();
        let Some((_, frame)) = found else {
            // Whoever leads now drops blocks that this coordinator still counts on.
            let error = if self.leads()? { Error::Missing { number } } else { Error::Deposed };
            return Err(error);
        };
        frame::decode(number, &frame).map_err(|why| Error::BadBlock { number, why })
    }
}

/// How many blocks go into one transaction.
fn first_of(blocks: &[Block]) -> usize {
    let mut bytes = 0;
    let fits = |block: &&Block| {
        bytes += block.bytes.len();
        bytes <= ETCD_TXN_BYTES
    };
    // One always does: the limit is not below that of a block.
    blocks.iter().take(ETCD_TXN_BLOCKS).take_while(fits).count()
}
