//! Who moves what, who may, and who has rights.

use std::collections::{BTreeMap, BTreeSet};

use dray_wire::messages::*;
use dray_wire::{FileHandle, Message, OrderId, Right, Step, Token, Verb};

/// An order that a node may be acting on.
#[derive(Debug)]
struct Live {
    connection: u32,
    token: Token,
    verb: Verb,
    step: Step,
    /// Files that it has not answered for.
    files: Vec<Option<FileHandle>>,
}

/// A node as the one on its side of a connection knows it.
#[derive(Debug)]
struct Facts {
    name: String,
    file_systems: BTreeSet<[u8; 16]>,
    lease_until: u64,
    silent: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Movers {
    /// Nanoseconds of a lease.
    pub(crate) lease_ns: u64,
    live: BTreeMap<OrderId, Live>,
    seen: BTreeSet<OrderId>,
    nodes: BTreeMap<u32, Facts>,
    grants: BTreeMap<(u32, Token), Grant>,
    rights: BTreeMap<FileHandle, BTreeMap<Token, Right>>,
    /// Orders by step, and those of files that a silent node may be reading.
    pub(crate) steps: [u64; 4],
    pub(crate) doubled: u64,
}

impl Movers {
    /// A node has begun anew: what it did under this name it does no more.
    pub(crate) fn joins(&mut self, connection: u32, name: &str, join: &Join, now: u64) {
        let earlier = self.nodes.iter().filter(|(_, facts)| facts.name == name);
        let earlier: BTreeSet<u32> = earlier.map(|(connection, _)| *connection).collect();
        self.live.retain(|_, live| !earlier.contains(&live.connection));
        let facts = Facts {
            name: name.to_owned(),
            file_systems: join.file_systems.0.iter().copied().collect(),
            lease_until: now + self.lease_ns,
            silent: false,
        };
        self.nodes.insert(connection, facts);
    }

    pub(crate) fn lease(&mut self, connection: u32, message: &Message, now: u64) {
        if let (Message::Renew(_), Some(facts)) = (message, self.nodes.get_mut(&connection)) {
            facts.lease_until = now + self.lease_ns;
        }
    }

    pub(crate) fn silent(&mut self, connection: u32) {
        if let Some(facts) = self.nodes.get_mut(&connection) {
            facts.silent = true;
        }
    }

    /// Nodes whose lease has ended act no more.
    pub(crate) fn pass(&mut self, now: u64) {
        let nodes = &self.nodes;
        self.live.retain(|_, live| nodes[&live.connection].lease_until > now);
    }

    pub(crate) fn done(&mut self, it: &OrderDone) {
        let Some(live) = self.live.get_mut(&it.order) else { return };
        for result in &it.results.0 {
            if let Some(file) = live.files.get_mut(result.index as usize) {
                *file = None;
            }
        }
        if live.files.iter().all(Option::is_none) {
            self.live.remove(&it.order);
        }
    }

    pub(crate) fn refused(&mut self, order: OrderId) {
        self.live.remove(&order);
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = OrderId> + '_ {
        self.live.keys().copied()
    }

    pub(crate) fn grant(&mut self, connection: u32, it: &Grant) {
        self.grants.insert((connection, it.token), it.clone());
    }

    pub(crate) fn order(&mut self, connection: u32, it: &Order, now: u64) -> Result<(), String> {
        self.pass(now);
        if it.order == OrderId::NONE || !self.seen.insert(it.order) {
            return Err(format!("order {} is not new", it.order));
        }
        let Some(facts) = self.nodes.get(&connection) else {
            return Err(format!("{connection} is no node and gets an order"));
        };
        let Some(grant) = self.grants.get(&(connection, it.token)) else {
            return Err(format!("order {} came without its grant", it.order));
        };
        if (grant.session, grant.right) != (it.session, it.right) || it.right != it.verb.right() {
            return Err(format!("order {} has {grant:?}", it.order));
        }
        self.steps[usize::from(it.step.0)] += 1;
        let mut own = BTreeSet::new();
        for item in &it.items.0 {
            let handle = item.handle;
            if !facts.file_systems.contains(&handle.file_system) {
                return Err(format!("order {} goes where its files are not", it.order));
            }
            if !grant.handles.0.contains(&handle) || !own.insert(handle) {
                return Err(format!("order {} has a file not granted, or twice", it.order));
            }
            self.doubled += self.alone(handle, it)?;
            let held = self.rights.get(&handle).into_iter().flatten();
            for (token, right) in held {
                if it.right == Right::EXCL || *right == Right::EXCL {
                    return Err(format!("order {} against {right} of {token}", it.order));
                }
            }
        }
        let files = it.items.0.iter().map(|item| Some(item.handle)).collect();
        let Order { token, verb, step, .. } = *it;
        self.live.insert(it.order, Live { connection, token, verb, step, files });
        Ok(())
    }

    /// Whether nobody else moves a file; how many do that may.
    fn alone(&self, handle: FileHandle, it: &Order) -> Result<u64, String> {
        let mut others = 0;
        for (id, other) in self.moving(handle) {
            let parts =
                other.token == it.token && (other.step, it.step) == (Step::PART, Step::PART);
            let doubled = other.verb == Verb::ARCHIVE
                && it.verb == Verb::ARCHIVE
                && self.nodes[&other.connection].silent;
            others += u64::from(doubled);
            if !parts && !doubled {
                let (verb, order) = (it.verb, it.order);
                return Err(format!("{order} {verb} {handle:?} while {id} does {other:?}"));
            }
        }
        Ok(others)
    }

    fn moving(&self, handle: FileHandle) -> impl Iterator<Item = (&OrderId, &Live)> {
        self.live.iter().filter(move |(_, live)| live.files.contains(&Some(handle)))
    }

    /// An application got a right.
    pub(crate) fn granted(
        &mut self,
        handle: FileHandle,
        token: Token,
        right: Right,
    ) -> Result<(), String> {
        let clash = |other: Right| right == Right::EXCL || other == Right::EXCL;
        for (id, live) in self.moving(handle) {
            if clash(live.verb.right()) {
                return Err(format!("{token} got {right} of what {id} moves: {live:?}"));
            }
        }
        let held = self.rights.entry(handle).or_default();
        if let Some(other) = held.iter().find(|(own, it)| **own != token && clash(**it)) {
            return Err(format!("{token} got {right} against {other:?}"));
        }
        let own = held.entry(token).or_default();
        *own = right.max(*own);
        Ok(())
    }

    pub(crate) fn give_back(
        &mut self,
        token: Token,
        only: Option<FileHandle>,
    ) -> Vec<(FileHandle, Token, Right)> {
        let mut given = Vec::new();
        for (handle, held) in &mut self.rights {
            if only.is_none_or(|only| only == *handle)
                && let Some(right) = held.remove(&token)
            {
                given.push((*handle, token, right));
            }
        }
        given
    }

    pub(crate) fn lower(
        &mut self,
        token: Token,
        handle: FileHandle,
    ) -> Vec<(FileHandle, Token, Right)> {
        let own = self.rights.get_mut(&handle).and_then(|held| held.get_mut(&token));
        match own {
            Some(own) if *own == Right::EXCL => {
                *own = Right::SHARED;
                vec![(handle, token, Right::EXCL)]
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn take_again(&mut self, given: Vec<(FileHandle, Token, Right)>) {
        for (handle, token, right) in given {
            self.rights.entry(handle).or_default().insert(token, right);
        }
    }
}
