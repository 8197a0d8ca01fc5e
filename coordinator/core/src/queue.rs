//! The order of service. Requests lie in buckets, one per class, session and region; each bucket
//! belongs to a node. A node serves the lowest class first, in it the session that has had the
//! least service for its share, and of that the bucket at the front.
//!
//! Nothing here depends on how many requests there are: they are linked through their own entries.

use std::collections::BTreeMap;

use dray_wire::Class;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::lanes::ClassLane;
use crate::limits::BUCKET_REQUESTS;
use crate::placement::Region;
use crate::requests::{NONE, Requests, Where};
use crate::slab::Slab;

pub(crate) const CLASSES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BucketKey {
    pub(crate) class: Class,
    pub(crate) session: u32,
    pub(crate) tenant: u32,
    /// Index of the file system.
    pub(crate) file_system: u32,
    pub(crate) region: Region,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) key: BucketKey,
    first: u32,
    last: u32,
    pub(crate) count: u32,
    /// Slot of the node that serves it.
    pub(crate) node: Option<u16>,
    /// Its place among those that none serves.
    homeless: Option<u64>,
}

/// What a node has to do.
#[derive(Debug, Default)]
struct Backlog {
    classes: [ClassLane; CLASSES],
    /// Requests.
    count: u64,
    touched: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    buckets: Slab<Bucket>,
    /// The bucket that takes the next request with a key.
    open: HashMap<BucketKey, u32, FixedState>,
    nodes: Vec<Backlog>,
    /// Nodes that may have something to post since this was asked last.
    touched: Vec<u16>,
    /// Buckets that no node can serve at the moment.
    homeless: BTreeMap<u64, u32>,
    last_homeless: u64,
    /// Queued requests of each class, and all that ever were.
    pub(crate) queued: [u64; CLASSES],
    pub(crate) taken_in: [u64; CLASSES],
}

impl Queue {
    pub(crate) fn add_node(&mut self, slot: u16) {
        let count = usize::from(slot) + 1;
        if self.nodes.len() < count {
            self.nodes.resize_with(count, Backlog::default);
        }
    }

    /// A node has more to do, or more room.
    pub(crate) fn touch(&mut self, slot: u16) {
        if let Some(backlog) = self.nodes.get_mut(usize::from(slot))
            && !std::mem::replace(&mut backlog.touched, true)
        {
            self.touched.push(slot);
        }
    }

    /// Those that were touched, in the order of their slots.
    pub(crate) fn take_touched(&mut self) -> Vec<u16> {
        let mut touched = std::mem::take(&mut self.touched);
        for slot in &touched {
            self.nodes[usize::from(*slot)].touched = false;
        }
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Requests queued for a node.
    pub(crate) fn backlog(&self, slot: u16) -> u64 {
        self.nodes.get(usize::from(slot)).map_or(0, |backlog| backlog.count)
    }

    /// Puts a request into its bucket; the bucket if it needs a node.
    pub(crate) fn push(
        &mut self,
        requests: &mut Requests,
        index: u32,
        file_system: u32,
        front: bool,
    ) -> Option<u32> {
        let request = &requests.slab[index];
        let key = BucketKey {
            class: request.class,
            session: request.session,
            tenant: request.tenant,
            file_system,
            region: request.region,
        };
        let class = usize::from(key.class.0);
        let (bucket, is_new) = self.bucket_for(key);
        let ticket = self.taken_in[class];
        self.taken_in[class] += 1;
        self.queued[class] += 1;
        let state = &mut self.buckets[bucket];
        state.count += 1;
        let request = &mut requests.slab[index];
        (request.ticket, request.bucket, request.place_in) = (ticket, bucket, Where::Bucket);
        if front || state.last == NONE {
            state.first = requests.link(state.first, index);
            if state.last == NONE {
                state.last = index;
            }
        } else {
            request.previous = state.last;
            requests.slab[state.last].next = index;
            state.last = index;
        }
        if let Some(node) = state.node {
            self.nodes[usize::from(node)].count += 1;
            self.touch(node);
        }
        is_new.then_some(bucket)
    }

    fn bucket_for(&mut self, key: BucketKey) -> (u32, bool) {
        if let Some(bucket) = self.open.get(&key)
            && self.buckets[*bucket].count < BUCKET_REQUESTS
        {
            return (*bucket, false);
        }
        let bucket = Bucket { key, first: NONE, last: NONE, count: 0, node: None, homeless: None };
        let index = self.buckets.insert(bucket).index;
        self.open.insert(key, index);
        (index, true)
    }

    pub(crate) fn bucket(&self, bucket: u32) -> &Bucket {
        &self.buckets[bucket]
    }

    /// Gives a bucket to a node, or to none.
    pub(crate) fn assign(&mut self, bucket: u32, node: Option<u16>, front: bool) {
        let state = &mut self.buckets[bucket];
        debug_assert!(state.node.is_none(), "a bucket has one node at a time");
        state.node = node;
        let (key, count) = (state.key, u64::from(state.count));
        match node {
            Some(node) => {
                let backlog = &mut self.nodes[usize::from(node)];
                backlog.count += count;
                let lane = &mut backlog.classes[usize::from(key.class.0)];
                lane.add(&key, bucket, front);
                self.touch(node);
            }
            None => {
                self.last_homeless += 1;
                state.homeless = Some(self.last_homeless);
                self.homeless.insert(self.last_homeless, bucket);
            }
        }
    }

    pub(crate) fn take_homeless(&mut self) -> Vec<u32> {
        let taken: Vec<u32> = std::mem::take(&mut self.homeless).into_values().collect();
        for bucket in &taken {
            self.buckets[*bucket].homeless = None;
        }
        taken
    }

    /// Buckets, empty ones too.
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Takes a queued request out, wherever it lies.
    pub(crate) fn unlink(&mut self, requests: &mut Requests, index: u32) {
        let bucket = requests.slab[index].bucket;
        let (previous, next) = requests.unlink(index);
        let state = &mut self.buckets[bucket];
        if previous == NONE {
            state.first = next;
        }
        if next == NONE {
            state.last = previous;
        }
        state.count -= 1;
        self.queued[usize::from(state.key.class.0)] -= 1;
        if let Some(node) = state.node {
            self.nodes[usize::from(node)].count -= 1;
        }
        if state.count == 0
            && let Some(place) = state.homeless
        {
            // Nobody comes by who would drop it.
            self.homeless.remove(&place);
            self.drop_bucket(bucket);
        }
        let request = &mut requests.slab[index];
        (request.bucket, request.place_in) = (NONE, Where::Nowhere);
    }

    /// The session with work of a class for a node that has the least service but for `last` and
    /// those before it; with that service.
    pub(crate) fn session_after(
        &self,
        node: u16,
        class: usize,
        last: Option<(u128, u32)>,
    ) -> Option<(u128, u32)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let order = &self.nodes[usize::from(node)].classes[class].order;
        match last {
            None => order.first().copied(),
            Some(last) => order.range((Excluded(last), Unbounded)).next().copied(),
        }
    }

    /// The bucket at the front of a session's; empty ones are dropped on the way.
    pub(crate) fn front(&mut self, node: u16, class: usize, session: u32) -> Option<u32> {
        loop {
            let lane = &mut self.nodes[usize::from(node)].classes[class];
            let bucket = lane.sessions.get(&session)?.front()?;
            if self.buckets[bucket].count > 0 {
                return Some(bucket);
            }
            self.drop_front(node, class, session);
        }
    }

    /// Puts the bucket at the front behind the others of its tenant.
    pub(crate) fn rotate_buckets(&mut self, node: u16, class: usize, session: u32) {
        let lane = &mut self.nodes[usize::from(node)].classes[class];
        let Some(lane) = lane.sessions.get_mut(&session) else { return };
        if let Some(buckets) = lane.turns.front().and_then(|it| lane.tenants.get_mut(it)) {
            buckets.rotate_left(1);
        }
    }

    /// The next tenant of a session has its turn.
    pub(crate) fn rotate_tenants(&mut self, node: u16, class: usize, session: u32) {
        let lane = &mut self.nodes[usize::from(node)].classes[class];
        if let Some(lane) = lane.sessions.get_mut(&session)
            && !lane.turns.is_empty()
        {
            lane.turns.rotate_left(1);
        }
    }

    fn drop_front(&mut self, node: u16, class: usize, session: u32) {
        let lane = &mut self.nodes[usize::from(node)].classes[class];
        let Some(own) = lane.sessions.get_mut(&session) else { return };
        if let Some(bucket) = own.pop_front() {
            lane.drop_if_empty(session);
            self.drop_bucket(bucket);
        }
    }

    pub(crate) fn drop_bucket(&mut self, bucket: u32) {
        if let Some(state) = self.buckets.remove(bucket)
            && self.open.get(&state.key) == Some(&bucket)
        {
            self.open.remove(&state.key);
        }
    }

    pub(crate) fn first(&self, bucket: u32) -> Option<u32> {
        let first = self.buckets.get(bucket)?.first;
        (first != NONE).then_some(first)
    }

    pub(crate) fn charge(&mut self, node: u16, class: usize, session: u32, cost: u64, share: u32) {
        self.nodes[usize::from(node)].classes[class].charge(session, cost, share);
    }

    /// Takes the last bucket with work of the class from a node, for another.
    pub(crate) fn steal(&mut self, from: u16, class: usize) -> Option<u32> {
        loop {
            let backlog = &mut self.nodes[usize::from(from)];
            let lane = &mut backlog.classes[class];
            let session = lane.order.last()?.1;
            let bucket = lane.sessions.get_mut(&session)?.pop_back()?;
            lane.drop_if_empty(session);
            let state = &mut self.buckets[bucket];
            backlog.count -= u64::from(state.count);
            state.node = None;
            if state.count > 0 {
                return Some(bucket);
            }
            self.drop_bucket(bucket);
        }
    }

    /// All buckets of a node that is gone.
    pub(crate) fn evict(&mut self, node: u16) -> Vec<u32> {
        let backlog = std::mem::take(&mut self.nodes[usize::from(node)]);
        let mut evicted = Vec::new();
        for lane in backlog.classes {
            let mut sessions: Vec<_> = lane.sessions.into_iter().collect();
            sessions.sort_unstable_by_key(|(session, lane)| (lane.virtual_time, *session));
            for (_, mut lane) in sessions {
                while let Some(bucket) = lane.pop_front() {
                    evicted.push(bucket);
                }
            }
        }
        for bucket in &evicted {
            self.buckets[*bucket].node = None;
        }
        evicted
    }
}
