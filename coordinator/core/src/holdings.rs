//! What the coordinator holds at the moment; for tests and figures.

use crate::coordinator::Coordinator;

/// How many of each there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    pub connections: usize,
    /// Requests that have not ended.
    pub open: usize,
    /// Requests that others may follow.
    pub leaders: usize,
    pub buckets: usize,
    /// Files that are being moved.
    pub moving: usize,
    /// Files that somebody has a right on or waits for.
    pub rights: usize,
    /// Requests whose right is there, but no node.
    pub granted: usize,
    pub orders: usize,
    pub splits: usize,
    /// Entries of the lists of splits with something to post.
    pub listed: usize,
    pub timers: usize,
    /// Synchronous events without a response.
    pub events: usize,
}

impl Coordinator {
    pub fn holdings(&self) -> Holdings {
        Holdings {
            connections: self.connections.len(),
            open: self.requests.open,
            leaders: self.requests.leaders(),
            buckets: self.queue.buckets(),
            moving: self.moving.len(),
            rights: self.rights.len(),
            granted: self.granted.values().map(std::collections::VecDeque::len).sum(),
            orders: self.orders.len(),
            splits: self.splits.len(),
            listed: self.moving_splits.len() + self.finishing_splits.len(),
            timers: self.timers.len(),
            events: self.events.len(),
        }
    }
}
