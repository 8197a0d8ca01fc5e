//! The coordinator, and the way from it to each connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dray_core::{Coordinator, Output, Peer};
use dray_store::Block;
use dray_wire::Message;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, watch};

use crate::keeper::{Job, Keeper, News};
use crate::limits::{COMMIT_BLOCKS, READ, SETTLE, STORE_LOOK};
use crate::outgoing::Outgoing;

pub(crate) struct Hub {
    core: RefCell<Coordinator>,
    links: RefCell<HashMap<u32, Rc<Outgoing>>>,
    began: Instant,
    /// The next deadline may be earlier than it was.
    sooner: Notify,
    armed_ns: Cell<u64>,
    /// Where all connections read to: there is one thread, so a peer that says nothing costs none.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    keeping: Option<Keeping>,
    /// This coordinator leads no more.
    pub(crate) over: watch::Sender<bool>,
}

/// How what is promised is kept.
struct Keeping {
    keeper: Keeper,
    /// It has something to do.
    busy: Cell<bool>,
    /// The first block that it was told to keep.
    keep_from: Cell<u64>,
}

impl Hub {
    /// `core` counts its time from `began`.
    pub(crate) fn new(
        core: Coordinator,
        began: Instant,
        keeper: Option<Keeper>,
        over: watch::Sender<bool>,
    ) -> Self {
        let keeping = |keeper| Keeping { keeper, busy: Cell::new(false), keep_from: Cell::new(0) };
        Self {
            core: RefCell::new(core),
            links: RefCell::default(),
            began,
            keeping: keeper.map(keeping),
            over,
            sooner: Notify::new(),
            armed_ns: Cell::new(u64::MAX),
            scratch: RefCell::new(vec![0; READ].into()),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn connected(&self, peer: Peer) -> Option<(u32, Rc<Outgoing>)> {
        let connection = self.core.borrow_mut().connected(self.now_ns(), peer)?;
        let outgoing = Rc::new(Outgoing::default());
        self.links.borrow_mut().insert(connection, Rc::clone(&outgoing));
        Some((connection, outgoing))
    }

    pub(crate) fn disconnected(&self, connection: u32) {
        self.links.borrow_mut().remove(&connection);
        self.core.borrow_mut().disconnected(self.now_ns(), connection);
        self.pump();
    }

    pub(crate) fn handle(&self, connection: u32, request: u64, message: Message) {
        self.core.borrow_mut().handle(self.now_ns(), connection, request, message);
    }

    pub(crate) fn malformed(&self, connection: u32, request: u64, why: &str, fatal: bool) {
        self.core.borrow_mut().malformed(self.now_ns(), connection, request, why, fatal);
    }

    /// Passes on what the coordinator has to say, and sets the clock for what it waits for.
    pub(crate) fn pump(&self) {
        let mut core = self.core.borrow_mut();
        let links = self.links.borrow();
        let mut touched: Option<(u32, &Rc<Outgoing>)> = None;
        while let Some(output) = core.next_output() {
            match output {
                Output::Send { connection, request, message } => {
                    let Some(outgoing) = links.get(&connection) else { continue };
                    if let Some((last, other)) = touched
                        && last != connection
                    {
                        other.filled.notify_one();
                    }
                    touched = Some((connection, outgoing));
                    outgoing.push(&message, request);
                }
                Output::Close { connection } => {
                    if let Some(outgoing) = links.get(&connection) {
                        outgoing.close();
                    }
                }
            }
        }
        if let Some((_, outgoing)) = touched {
            outgoing.filled.notify_one();
        }
        if let Some(keeping) = &self.keeping {
            keeping.keep(&mut core);
        }
        if !core.leads() {
            self.over.send_replace(true);
        }
        if core.deadline().is_some_and(|deadline| deadline < self.armed_ns.get()) {
            self.sooner.notify_one();
        }
    }

    /// Ticks the coordinator when something is due.
    pub(crate) async fn keep_time(&self) {
        loop {
            let deadline = self.core.borrow().deadline();
            self.armed_ns.set(deadline.unwrap_or(u64::MAX));
            match deadline {
                None => self.sooner.notified().await,
                Some(deadline) => {
                    let left = Duration::from_nanos(deadline.saturating_sub(self.now_ns()));
                    tokio::select! {
                        () = tokio::time::sleep(left) => {}
                        () = self.sooner.notified() => {}
                    }
                }
            }
            let now = self.now_ns();
            if self.core.borrow().deadline().is_some_and(|deadline| deadline <= now) {
                self.core.borrow_mut().tick(now);
                self.pump();
            }
        }
    }
}

impl Keeping {
    /// Gives the store what there is to keep, unless it is at something.
    fn keep(&self, core: &mut Coordinator) {
        if self.busy.get() {
            return;
        }
        let mut blocks = Vec::new();
        while blocks.len() < COMMIT_BLOCKS
            && let Some((number, bytes)) = core.take_block()
        {
            blocks.push(Block { number, bytes });
        }
        // What is recorded anew has to be among them before the old is dropped.
        let (mut keep_from, mut read) = (self.keep_from.get(), None);
        if blocks.len() < COMMIT_BLOCKS {
            (keep_from, read) = (core.keep_from(), core.wants_clean());
        }
        if blocks.is_empty() && keep_from == self.keep_from.get() && read.is_none() {
            return;
        }
        self.busy.set(true);
        self.keep_from.set(keep_from);
        self.keeper.give(Job { blocks, keep_from, read });
    }
}

impl Hub {
    /// Passes on to the coordinator what the store says.
    pub(crate) async fn hear_store(&self, mut news: UnboundedReceiver<News>) {
        while let Some(news) = news.recv().await {
            self.store_says(news);
            self.pump();
        }
    }

    fn store_says(&self, news: News) {
        let Some(keeping) = &self.keeping else { return };
        let mut core = self.core.borrow_mut();
        match news {
            News::Fails(why) => core.store_fails(Some(why)),
            News::Deposed => core.step_down(),
            News::Done { kept, block } => {
                keeping.busy.set(false);
                core.store_fails(None);
                if let Some(number) = kept {
                    core.kept(self.now_ns(), number);
                }
                if let Some(Err(why)) = block.map(|block| core.clean(&block)) {
                    tracing::error!("the oldest block of the journal is not as it was: {why}");
                }
            }
        }
    }

    /// Notes until when this coordinator leads.
    pub(crate) async fn follow_lead(&self, mut until: watch::Receiver<Instant>) {
        loop {
            let lead = until.borrow_and_update().saturating_duration_since(self.began);
            let lead_ns = u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX);
            self.core.borrow_mut().lead_until(self.now_ns(), lead_ns);
            self.pump();
            if until.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for the store to keep what there is, if it can.
    pub(crate) async fn settle(&self) {
        let Some(keeping) = &self.keeping else { return };
        let until = Instant::now() + SETTLE;
        while keeping.busy.get() && Instant::now() < until {
            tokio::time::sleep(STORE_LOOK / 10).await;
        }
    }
}
