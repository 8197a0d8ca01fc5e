//! The coordinator, and the way from it to each connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dray_core::{Coordinator, Output, Peer, Setup};
use dray_wire::Message;
use tokio::sync::Notify;

use crate::limits::READ;
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
}

impl Hub {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            core: RefCell::new(Coordinator::new(setup)),
            links: RefCell::default(),
            began: Instant::now(),
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
