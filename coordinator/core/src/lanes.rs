//! Whose turn it is: sessions of a class by the service that they have had, tenants of a session
//! one after the other.

use std::collections::{BTreeSet, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::queue::BucketKey;

#[derive(Debug)]
pub(crate) struct SessionLane {
    /// Service received, by share.
    pub(crate) virtual_time: u128,
    /// Whose turn it is: one order each.
    pub(crate) turns: VecDeque<u32>,
    /// Buckets by tenant; none is empty of buckets.
    pub(crate) tenants: HashMap<u32, VecDeque<u32>, FixedState>,
}

impl SessionLane {
    pub(crate) fn add(&mut self, tenant: u32, bucket: u32, front: bool) {
        let buckets = self.tenants.entry(tenant).or_insert_with(|| {
            self.turns.push_back(tenant);
            VecDeque::new()
        });
        if front {
            buckets.push_front(bucket);
        } else {
            buckets.push_back(bucket);
        }
    }

    pub(crate) fn front(&self) -> Option<u32> {
        self.tenants.get(self.turns.front()?)?.front().copied()
    }

    pub(crate) fn pop_front(&mut self) -> Option<u32> {
        let tenant = *self.turns.front()?;
        let bucket = self.tenants.get_mut(&tenant)?.pop_front();
        if self.tenants[&tenant].is_empty() {
            self.tenants.remove(&tenant);
            self.turns.pop_front();
        }
        bucket
    }

    pub(crate) fn pop_back(&mut self) -> Option<u32> {
        let tenant = *self.turns.back()?;
        let bucket = self.tenants.get_mut(&tenant)?.pop_back();
        if self.tenants[&tenant].is_empty() {
            self.tenants.remove(&tenant);
            self.turns.pop_back();
        }
        bucket
    }
}

/// The buckets of a class that a node serves.
#[derive(Debug, Default)]
pub(crate) struct ClassLane {
    pub(crate) order: BTreeSet<(u128, u32)>,
    pub(crate) sessions: HashMap<u32, SessionLane, FixedState>,
    /// The virtual time of the session served last: where a newcomer begins.
    pub(crate) clock: u128,
}

impl ClassLane {
    pub(crate) fn add(&mut self, key: &BucketKey, bucket: u32, front: bool) {
        let (session, clock) = (key.session, self.clock);
        let lane = self.sessions.entry(session).or_insert_with(|| {
            self.order.insert((clock, session));
            SessionLane { virtual_time: clock, turns: VecDeque::new(), tenants: HashMap::default() }
        });
        lane.add(key.tenant, bucket, front);
    }

    pub(crate) fn drop_if_empty(&mut self, session: u32) {
        if let Some(lane) = self.sessions.get(&session)
            && lane.turns.is_empty()
        {
            self.order.remove(&(lane.virtual_time, session));
            self.sessions.remove(&session);
        }
    }

    //= docs/wire.md#w-55
    pub(crate) fn charge(&mut self, session: u32, cost: u64, share: u32) {
        let Some(lane) = self.sessions.get_mut(&session) else { return };
        self.order.remove(&(lane.virtual_time, session));
        self.clock = self.clock.max(lane.virtual_time);
        lane.virtual_time += u128::from(cost) * 1024 / u128::from(share.max(1));
        self.order.insert((lane.virtual_time, session));
    }
}
