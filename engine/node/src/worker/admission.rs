//! Whether a node may do what it is told: the session, the right, the epoch, the lease.

use std::collections::{HashMap, HashSet};

use dray_wire::messages::{Grant, Order, Withdraw};
use dray_wire::{Epoch, FileHandle, Reason, Right, SessionId, Token};

#[derive(Debug)]
struct Granted {
    session: SessionId,
    right: Right,
    handles: HashSet<FileHandle>,
    /// Orders that it serves.
    orders: u32,
}

/// What was granted to this node.
#[derive(Debug, Default)]
pub struct Admission {
    epoch: Epoch,
    sessions: HashSet<SessionId>,
    tokens: HashMap<Token, Granted>,
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
        *self = Self { epoch: self.epoch.max(epoch), ..Self::default() };
    }

    pub fn grant(&mut self, grant: Grant) {
        if grant.epoch < self.epoch {
            return;
        }
        self.sessions.insert(grant.session);
        let granted = self.tokens.entry(grant.token).or_insert_with(|| Granted {
            session: grant.session,
            right: grant.right,
            handles: HashSet::new(),
            orders: 0,
        });
        granted.right = granted.right.max(grant.right);
        granted.orders += 1;
        granted.handles.extend(grant.handles.0);
    }

    pub fn withdraw(&mut self, withdraw: &Withdraw) {
        if withdraw.token == Token::NONE {
            self.sessions.remove(&withdraw.session);
            self.tokens.retain(|_, granted| granted.session != withdraw.session);
        } else {
            self.tokens.remove(&withdraw.token);
        }
    }

    /// An order is over, and the grant that came with it.
    pub fn over(&mut self, token: Token) {
        if let Some(granted) = self.tokens.get_mut(&token) {
            granted.orders -= 1;
            if granted.orders == 0 {
                self.tokens.remove(&token);
            }
        }
    }

    /// Whether an order may be done. `lease_left` in nanoseconds, on the node's own clock.
    pub fn check(&mut self, order: &Order, lease_left: u64) -> Result<(), NotAdmitted> {
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
        let granted = self.tokens.get(&order.token);
        let granted = granted.filter(|it| it.session == order.session && it.right >= needed);
        let has = |handle| granted.is_some_and(|granted| granted.handles.contains(handle));
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
mod tests {
    use dray_wire::messages::OrderItem;
    use dray_wire::{List, Verb};

    use super::*;

    fn handle(inode: u64) -> FileHandle {
        FileHandle { inode, ..FileHandle::default() }
    }

    fn order(verb: Verb) -> Order {
        let item = OrderItem { handle: handle(5), ..OrderItem::default() };
        Order {
            epoch: Epoch(2),
            session: SessionId(1),
            token: Token(3),
            right: verb.right(),
            verb,
            items: List(vec![item]),
            ..Order::default()
        }
    }

    fn grant(right: Right, inode: u64) -> Grant {
        Grant {
            epoch: Epoch(2),
            session: SessionId(1),
            token: Token(3),
            right,
            handles: List(vec![handle(inode)]),
            ..Grant::default()
        }
    }

    fn reason(admission: &mut Admission, order: &Order, lease: u64) -> Reason {
        admission.check(order, lease).map_or_else(|it| it.reason, |()| Reason::NONE)
    }

    #[test]
    fn each_thing_that_is_missing_is_named() {
        let mut own = Admission::default();
        own.begin(Epoch(2));
        let restore = order(Verb::RESTORE);
        assert_eq!(reason(&mut own, &restore, 1), Reason::NO_SESSION);
        own.grant(grant(Right::EXCL, 6));
        assert_eq!(reason(&mut own, &restore, 1), Reason::NO_RIGHT);
        own.begin(Epoch(2));
        own.grant(grant(Right::SHARED, 5));
        assert_eq!(reason(&mut own, &restore, 1), Reason::NO_RIGHT);
        assert_eq!(reason(&mut own, &order(Verb::ARCHIVE), 1), Reason::NONE);
        own.begin(Epoch(2));
        own.grant(grant(Right::EXCL, 5));
        assert_eq!(reason(&mut own, &restore, 1), Reason::NONE);
        assert_eq!(reason(&mut own, &restore, 0), Reason::LEASE_ENDED);
        own.begin(Epoch(3));
        assert_eq!(reason(&mut own, &restore, 1), Reason::OLD_EPOCH);
        // A late grant of the old coordinator changes nothing.
        own.grant(grant(Right::EXCL, 5));
        let new = Order { epoch: Epoch(3), ..restore };
        assert_eq!(reason(&mut own, &new, 1), Reason::NO_SESSION);
    }

    #[test]
    fn a_grant_ends_with_its_orders() {
        let mut own = Admission::default();
        own.begin(Epoch(2));
        own.grant(grant(Right::EXCL, 5));
        own.grant(grant(Right::EXCL, 5));
        own.over(Token(3));
        assert_eq!(reason(&mut own, &order(Verb::RESTORE), 1), Reason::NONE);
        own.over(Token(3));
        assert_eq!(reason(&mut own, &order(Verb::RESTORE), 1), Reason::NO_RIGHT);
        own.grant(grant(Right::EXCL, 5));
        own.withdraw(&Withdraw { epoch: Epoch(2), session: SessionId(1), token: Token::NONE });
        assert_eq!(reason(&mut own, &order(Verb::RESTORE), 1), Reason::NO_SESSION);
    }
}
