//! Whether a node may do what it is told: the session, the right, the epoch, the lease.

use std::collections::{HashMap, HashSet};

use dray_wire::messages::{Grant, Order, Withdraw};
use dray_wire::{Epoch, FileHandle, OrderId, Reason, Right, SessionId, Token};

#[derive(Debug)]
struct Granted {
    /// Which of the grants under a token this is: it may be withdrawn, and come again.
    number: u64,
    session: SessionId,
    rights: HashMap<FileHandle, Right>,
    /// Orders that it serves.
    orders: u32,
}

/// What was granted to this node.
#[derive(Debug, Default)]
pub struct Admission {
    epoch: Epoch,
    sessions: HashSet<SessionId>,
    tokens: HashMap<Token, Granted>,
    /// Orders under way, and the grant that each has.
    admitted: HashMap<OrderId, (Token, u64)>,
    last: u64,
}

/// An order that is not done, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdmitted {
    pub reason: Reason,
    pub text: String,
}

impl Admission {
    /// A coordinator is there, or another. What an older one granted is worth nothing.
    //= docs/wire.md#w-65
    pub fn begin(&mut self, epoch: Epoch) {
        *self = Self { epoch, last: self.last, ..Self::default() };
    }

    /// Whatever is of a newer epoch says that there is another coordinator.
    fn see(&mut self, epoch: Epoch) {
        if epoch > self.epoch {
            self.begin(epoch);
        }
    }

    pub fn grant(&mut self, grant: Grant) {
        if grant.epoch < self.epoch {
            return;
        }
        self.see(grant.epoch);
        self.sessions.insert(grant.session);
        let last = &mut self.last;
        let granted = self.tokens.entry(grant.token).or_insert_with(|| {
            *last += 1;
            let (session, rights) = (grant.session, HashMap::new());
            Granted { number: *last, session, rights, orders: 0 }
        });
        granted.orders += 1;
        for handle in grant.handles.0 {
            let right = granted.rights.entry(handle).or_insert(grant.right);
            *right = (*right).max(grant.right);
        }
    }

    pub fn withdraw(&mut self, withdraw: &Withdraw) {
        if withdraw.epoch < self.epoch {
            return;
        }
        if withdraw.token == Token::NONE {
            self.sessions.remove(&withdraw.session);
            self.tokens.retain(|_, granted| granted.session != withdraw.session);
        } else {
            self.tokens.remove(&withdraw.token);
        }
    }

    /// An order is over, and the grant that came with it.
    pub fn over(&mut self, order: OrderId) {
        if let Some((token, number)) = self.admitted.remove(&order) {
            self.give_back(token, |granted| granted.number == number);
        }
    }

    fn give_back(&mut self, token: Token, is_it: impl Fn(&Granted) -> bool) {
        if let Some(granted) = self.tokens.get_mut(&token).filter(|granted| is_it(granted)) {
            granted.orders -= 1;
            if granted.orders == 0 {
                self.tokens.remove(&token);
            }
        }
    }

    /// Whether an order may be done. `lease_left` in nanoseconds, on the node's own clock.
    pub fn admit(&mut self, order: &Order, lease_left: u64) -> Result<(), NotAdmitted> {
        self.see(order.epoch);
        let checked = self.check(order, lease_left);
        let granted = self.tokens.get(&order.token);
        match granted.filter(|granted| granted.session == order.session) {
            Some(granted) if checked.is_ok() => {
                self.admitted.insert(order.order, (order.token, granted.number));
            }
            // Its grant ends with it. What another order has under the token does not.
            Some(_) if order.epoch >= self.epoch => {
                self.give_back(order.token, |granted| granted.session == order.session);
            }
            _ => {}
        }
        checked
    }

    fn check(&self, order: &Order, lease_left: u64) -> Result<(), NotAdmitted> {
        let refuse = |reason, text: String| Err(NotAdmitted { reason, text });
        //= docs/wire.md#w-60
        if order.epoch < self.epoch {
            let text = format!("the order is of epoch {}, this is {}", order.epoch, self.epoch);
            return refuse(Reason::OLD_EPOCH, text);
        }
        //= docs/wire.md#w-63
        if lease_left == 0 {
            return refuse(Reason::LEASE_ENDED, "the lease of this node has ended".to_owned());
        }
        //= docs/wire.md#w-61
        if !self.sessions.contains(&order.session) {
            let text = format!("session {} was not granted to this node", order.session);
            return refuse(Reason::NO_SESSION, text);
        }
        //= docs/wire.md#w-62
        let needed = order.verb.right();
        let granted = self.tokens.get(&order.token).filter(|it| it.session == order.session);
        let has = |handle| {
            let right = granted.and_then(|granted| granted.rights.get(handle));
            right.is_some_and(|right| *right >= needed)
        };
        if let Some(item) = order.items.0.iter().find(|item| !has(&item.handle)) {
            let text = format!(
                "token {} has no {needed} right on inode {} here",
                order.token, item.handle.inode
            );
            return refuse(Reason::NO_RIGHT, text);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
