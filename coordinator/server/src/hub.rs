//! The coordinator, and what waits to be sent to each connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::Message;
use dray_wire::limits::UNREAD_MAX;
use tokio::sync::Notify;

/// What waits for one peer.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: RefCell<Vec<u8>>,
    /// There is something to be sent, or nothing will be any more.
    pub(crate) filled: Notify,
    /// Something was sent.
    pub(crate) drained: Notify,
    closing: Cell<bool>,
    /// It did not read: nothing is sent any more.
    cut: Cell<bool>,
}

impl Outgoing {
    /// Takes what there is, leaving `spare` to be filled.
    pub(crate) fn take(&self, spare: &mut Vec<u8>) {
        spare.clear();
        std::mem::swap(&mut *self.bytes.borrow_mut(), spare);
        self.drained.notify_one();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.filled.notify_one();
        self.drained.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    //= docs/wire.md#w-10
    fn push(&self, message: &Message, request: u64) {
        let mut bytes = self.bytes.borrow_mut();
        if self.cut.get() {
            return;
        }
        dray_wire::encode(message, request, &mut bytes);
        if bytes.len() > UNREAD_MAX {
            bytes.clear();
            bytes.shrink_to_fit();
            self.cut.set(true);
            drop(bytes);
            self.close();
        }
    }
}

pub(crate) struct Hub {
    core: RefCell<Coordinator>,
    links: RefCell<HashMap<u32, Rc<Outgoing>>>,
    began: Instant,
    /// The next deadline may be earlier than it was.
    sooner: Notify,
    armed_ns: Cell<u64>,
}

impl Hub {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            core: RefCell::new(Coordinator::new(setup)),
            links: RefCell::default(),
            began: Instant::now(),
            sooner: Notify::new(),
            armed_ns: Cell::new(u64::MAX),
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
