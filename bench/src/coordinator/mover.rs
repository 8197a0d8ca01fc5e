//! Nodes that move nothing: they join, keep their lease, and answer every order.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dray_wire::messages::{ItemResult, Join, Order, OrderDone, Renew};
use dray_wire::{
    Class, Epoch, Field, List, Malformed, Message, OrderId, Reader, Right, SessionId, Status, Step,
    Token, Verb,
};

use super::link::{Link, Received};

/// Enough that the window of orders is no limit.
const CORES: u16 = 8;
/// Leases are renewed so often in their length.
const RENEWALS: u32 = 3;

/// What of an order is needed to answer it.
#[derive(Clone, Copy, Debug)]
struct Head {
    order: OrderId,
    class: Class,
    items: u32,
}

impl Head {
    /// Reads the fields up to the count of items. The items are the files, which are not moved
    /// here, so reading them would be time that a real node spends elsewhere.
    fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(body);
        let (_epoch, order) = (Epoch::take(&mut from)?, OrderId::take(&mut from)?);
        let _under = (SessionId::take(&mut from)?, Token::take(&mut from)?);
        let _what = (Right::take(&mut from)?, Verb::take(&mut from)?, Step::take(&mut from)?);
        let class = Class::take(&mut from)?;
        // Core, flags, lease, reserved.
        from.bytes(2 + 2 + 4 + 4)?;
        Ok(Self { order, class, items: u32::take(&mut from)? })
    }
}

/// Answers orders; shared by the thread that reads them and the one that takes its time.
struct Answers {
    stream: UnixStream,
    done: OrderDone,
    bytes: Vec<u8>,
}

impl Answers {
    fn add(&mut self, head: Head) {
        self.done.order = head.order;
        let results = &mut self.done.results.0;
        results.truncate(head.items as usize);
        for index in results.len() as u32..head.items {
            results.push(ItemResult { index, status: Status::DONE, ..ItemResult::default() });
        }
        let mut message = Message::OrderDone(std::mem::take(&mut self.done));
        dray_wire::encode(&message, 0, &mut self.bytes);
        if let Message::OrderDone(done) = &mut message {
            self.done = std::mem::take(done);
        }
    }

    fn send(&mut self) -> Result<()> {
        let sent = self.stream.write_all(&self.bytes);
        self.bytes.clear();
        sent.context("report to the coordinator")
    }
}

type Shared = Arc<Mutex<Answers>>;

fn locked(shared: &Shared) -> std::sync::MutexGuard<'_, Answers> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Mover {
    thread: JoinHandle<Result<()>>,
    /// When urgent orders came.
    pub(super) arrivals: Receiver<Instant>,
}

impl Mover {
    pub(super) fn join(mut link: Link, order_time: Duration) -> Result<Self> {
        let join = Join { cores: CORES, file_systems: List(vec![[0; 16]]), ..Join::default() };
        let Message::Joined(joined) = link.ask(&join.into())? else { bail!("it did not join") };
        let lease = Duration::from_millis(u64::from(joined.lease_ms));
        let done = OrderDone { epoch: joined.epoch, ..OrderDone::default() };
        let answers = Answers { stream: link.writer()?, done, bytes: Vec::new() };
        let answers = Arc::new(Mutex::new(answers));
        let (sender, arrivals) = channel();
        let slow = (!order_time.is_zero()).then(|| take_time(Arc::clone(&answers), order_time));
        let node = Node { link, epoch: joined.epoch, answers, slow, sender, renewed: lease };
        let thread = std::thread::spawn(move || node.serve(lease / RENEWALS));
        Ok(Self { thread, arrivals })
    }

    pub(super) fn end(self) -> Result<()> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A thread that works on one order after the other. It ends with the node's, or when nobody is
/// there to be told.
fn take_time(answers: Shared, order_time: Duration) -> Sender<Head> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for head in orders {
            sleep(order_time);
            let mut answers = locked(&answers);
            answers.add(head);
            if answers.send().is_err() {
                return;
            }
        }
    });
    sender
}

struct Node {
    link: Link,
    epoch: Epoch,
    answers: Shared,
    slow: Option<Sender<Head>>,
    sender: Sender<Instant>,
    renewed: Duration,
}

impl Node {
    fn serve(mut self, every: Duration) -> Result<()> {
        self.link.patience(every)?;
        let began = Instant::now();
        self.renewed = Duration::ZERO;
        loop {
            match self.link.receive()? {
                Received::End => return Ok(()),
                Received::Bytes => self.take_frames()?,
                Received::Nothing => {}
            }
            if began.elapsed() >= self.renewed + every {
                self.renewed = began.elapsed();
                self.renew()?;
            }
        }
    }

    fn take_frames(&mut self) -> Result<()> {
        let now = Instant::now();
        let mut answers = locked(&self.answers);
        while let Some(frame) = self.link.deframer.next_frame()? {
            if frame.header.kind != Order::KIND {
                continue;
            }
            let head = Head::read(frame.body)?;
            ensure!(head.class.is_known(), "an order of class {}", head.class);
            if head.class == Class::INTERACTIVE {
                // Nobody listens when the measurement is over.
                let _ = self.sender.send(now);
            }
            match &self.slow {
                Some(slow) if head.class > Class::INTERACTIVE => slow.send(head)?,
                _ => answers.add(head),
            }
        }
        answers.send()
    }

    fn renew(&mut self) -> Result<()> {
        let request = self.link.number();
        let renew = Renew { epoch: self.epoch, ..Renew::default() };
        let mut answers = locked(&self.answers);
        dray_wire::encode(&renew.into(), request, &mut answers.bytes);
        answers.send()
    }
}
