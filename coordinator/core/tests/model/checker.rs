//! What must hold whatever clients and nodes do. It sees what goes in and what comes out, and
//! knows nothing of how the coordinator works.

use std::collections::{BTreeMap, BTreeSet};

use dray_core::Output;
use dray_wire::messages::*;
use dray_wire::{FileHandle, Message, OrderId, Reason, RequestId, Right, Status, Token};

use crate::movers::Movers;

/// A request for a movement that was accepted.
#[derive(Debug)]
struct Known {
    connection: u32,
    silent: bool,
    outcome: Option<(Status, Reason)>,
}

/// Something asked for that has no reply yet.
#[derive(Debug)]
struct Open {
    message: Message,
    /// What the asker says that he gave back; his again if he is refused.
    given: Vec<(FileHandle, Token, Right)>,
}

#[derive(Debug, Default)]
pub(crate) struct Checker {
    pub(crate) faults: Vec<String>,
    pub(crate) movers: Movers,
    pub(crate) connected: BTreeSet<u32>,
    open: BTreeMap<(u32, u64), Open>,
    requests: BTreeMap<RequestId, Known>,
}

impl Checker {
    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    pub(crate) fn gone(&mut self, connection: u32) {
        self.connected.remove(&connection);
        self.movers.silent(connection);
        self.open.retain(|(own, _), _| *own != connection);
    }

    /// Something is said to the coordinator.
    pub(crate) fn input(&mut self, connection: u32, request: u64, message: &Message, now: u64) {
        let given = match message {
            Message::OrderDone(it) => return self.movers.done(it),
            Message::OrderRefused(it) => return self.movers.refused(it.order),
            Message::OrderProgress(_) => return,
            Message::ReleaseRight(it) => self.movers.give_back(it.token, Some(it.handle)),
            Message::RespondEvent(it) => self.movers.give_back(it.token, None),
            Message::DowngradeRight(it) => self.movers.lower(it.token, it.handle),
            _ => Vec::new(),
        };
        self.movers.lease(connection, message, now);
        self.open.insert((connection, request), Open { message: message.clone(), given });
    }

    pub(crate) fn output(&mut self, output: &Output, now: u64) {
        let (connection, request, message) = match output {
            Output::Close { connection } => return self.gone(*connection),
            Output::Send { connection, request, message } => (*connection, *request, message),
        };
        if !self.connected.contains(&connection) {
            return self.fault(format!("{connection} is gone and is told {message:?}"));
        }
        if request != 0 {
            match self.open.remove(&(connection, request)) {
                Some(open) => self.replied(connection, open, message),
                None => self.fault(format!("a reply to nothing: {request} {message:?}")),
            }
            return;
        }
        match message {
            Message::Outcomes(it) => self.outcomes(connection, it),
            Message::Grant(it) => self.movers.grant(connection, it),
            Message::Order(it) => {
                if let Err(what) = self.movers.order(connection, it, now) {
                    self.fault(what);
                }
            }
            Message::CancelOrder(_) | Message::Withdraw(_) | Message::Refused(_) => {}
            other => self.fault(format!("pushed: {other:?}")),
        }
    }

    fn replied(&mut self, connection: u32, open: Open, reply: &Message) {
        match (&open.message, reply) {
            (_, Message::Refused(_)) => self.movers.take_again(open.given),
            (Message::Submit(submit), Message::Accepted(accepted)) => {
                self.accepted(connection, submit, &accepted.requests.0);
            }
            (Message::RequestRight(it), Message::Done(_)) => {
                self.granted(it.handle, it.token, it.right);
            }
            (Message::UpgradeRight(it), Message::Done(_)) => {
                self.granted(it.handle, it.token, Right::EXCL);
            }
            (_, Message::Requests(page)) => {
                for info in &page.requests.0 {
                    self.seen(info);
                }
            }
            (Message::Cancel(it), Message::Cancelled(told))
                if it.requests.0.len() != told.statuses.0.len() =>
            {
                self.fault("a status for each that is cancelled".to_owned());
            }
            _ => {}
        }
    }

    fn granted(&mut self, handle: FileHandle, token: Token, right: Right) {
        if let Err(what) = self.movers.granted(handle, token, right) {
            self.fault(what);
        }
    }

    fn accepted(&mut self, connection: u32, submit: &Submit, ids: &[RequestId]) {
        if ids.len() != submit.items.0.len() {
            self.fault(format!("{} ids for {} items", ids.len(), submit.items.0.len()));
        }
        for id in ids {
            let silent = submit.flags & SILENT != 0;
            let known = Known { connection, silent, outcome: None };
            if *id == RequestId::NONE || self.requests.insert(*id, known).is_some() {
                self.fault(format!("request {id} is not new"));
            }
        }
    }

    fn outcomes(&mut self, connection: u32, it: &Outcomes) {
        for outcome in &it.outcomes.0 {
            let Some(known) = self.requests.get_mut(&outcome.request) else {
                self.fault(format!("an outcome of nothing: {outcome:?}"));
                continue;
            };
            let good = known.connection == connection
                && known.outcome.is_none()
                && !known.silent
                && outcome.status.is_final();
            known.outcome = Some((outcome.status, outcome.reason));
            if !good {
                self.fault(format!("a wrong or second outcome: {outcome:?}"));
            }
        }
    }

    fn seen(&mut self, info: &RequestInfo) {
        let Some(known) = self.requests.get_mut(&info.request) else {
            return self.fault(format!("request {} is known to nobody", info.request));
        };
        let told = known.outcome;
        let now = (info.status, info.reason);
        if info.status.is_final() {
            known.outcome = known.outcome.or(Some(now).filter(|_| known.silent));
        }
        if told.is_some_and(|told| told != now) {
            self.fault(format!("{} was {told:?} and is {now:?}", info.request));
        }
    }

    /// All that was accepted, in order.
    pub(crate) fn requests(&self) -> Vec<RequestId> {
        self.requests.keys().copied().collect()
    }

    /// When all has come to rest.
    pub(crate) fn at_rest(&mut self) {
        let open: Vec<String> = self.open.values().map(|open| format!("{open:?}")).collect();
        for open in open {
            self.fault(format!("never answered: {open}"));
        }
        let untold = self.requests.iter().filter(|(_, known)| {
            known.outcome.is_none() && !known.silent && self.connected.contains(&known.connection)
        });
        let untold: Vec<String> = untold.map(|(id, _)| format!("no outcome of {id}")).collect();
        self.faults.extend(untold);
        let live: Vec<OrderId> = self.movers.live().collect();
        if !live.is_empty() {
            self.fault(format!("orders that nobody answered: {live:?}"));
        }
    }
}
