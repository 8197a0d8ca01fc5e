//! The state machine as a whole: what comes in, and to which part it goes.

use std::collections::{BTreeMap, VecDeque};

use dray_wire::messages::{Done, Hello, Welcome};
use dray_wire::{Cluster, Epoch, FileHandle, Message, NodeId, Reason, Role, Text, Token, VERSION};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::connections::{Connection, Connections, Peer, Wait};
use crate::events::Events;
use crate::journal::{Journal, Restoring};
use crate::leading::Leading;
use crate::limits::{LEASE_NS, NODE_CREDITS};
use crate::nodes::{FileSystems, Lane, Nodes};
use crate::orders::Order;
use crate::outbox::{Outbox, Output, Refusal};
use crate::pace::Pace;
use crate::queue::Queue;
use crate::requests::Requests;
use crate::rights::Rights;
use crate::sessions::Sessions;
use crate::slab::Slab;
use crate::split::Split;
use crate::talk::At;
use crate::timers::Timers;

/// How a coordinator is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    pub cluster: Cluster,
    /// The coordinator's name.
    pub name: String,
    pub epoch: Epoch,
    /// Nanoseconds that a node may act without renewal.
    pub lease_ns: u64,
    /// Nanoseconds from the first input in which nothing is posted: nodes may still act under
    /// leases of a coordinator before this one.
    pub grace_ns: u64,
    /// Bytes from which a file is split over cores and nodes, and of its parts.
    pub split_bytes: u64,
    pub part_bytes: u64,
    /// Somebody keeps what is to outlive this coordinator: see [`Coordinator::take_block`].
    pub durable: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            cluster: Cluster::default(),
            name: "coordinator".to_owned(),
            epoch: Epoch(1),
            lease_ns: LEASE_NS,
            grace_ns: 0,
            split_bytes: crate::limits::SPLIT_BYTES,
            part_bytes: crate::limits::PART_BYTES,
            durable: false,
        }
    }
}

/// The coordinator.
///
/// Inputs are [`connected`](Self::connected), [`handle`](Self::handle),
/// [`disconnected`](Self::disconnected) and [`tick`](Self::tick), each with the time in
/// nanoseconds of a clock that never goes back. After each, [`next_output`](Self::next_output) is
/// to be called until it gives nothing, and `tick` at [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) setup: Setup,
    pub(crate) now_ns: u64,
    /// Until then nothing is posted; none as long as nothing has come in.
    pub(crate) grace_until_ns: Option<u64>,
    pub(crate) out: Outbox,
    pub(crate) connections: Connections,
    pub(crate) sessions: Sessions,
    pub(crate) events: Events,
    pub(crate) rights: Rights,
    pub(crate) requests: Requests,
    pub(crate) queue: Queue,
    pub(crate) nodes: Nodes,
    pub(crate) orders: Slab<Order>,
    pub(crate) splits: Slab<Split>,
    /// The request that moves a file, as long as one does.
    //= docs/wire.md#w-53
    pub(crate) moving: HashMap<FileHandle, u32, FixedState>,
    /// Requests whose right has been granted, with the token that has it; by lane and file system.
    pub(crate) granted: BTreeMap<(Lane, u32), VecDeque<(u32, Token)>>,
    /// Split files with parts to give out, and those to be finished.
    pub(crate) moving_splits: VecDeque<u32>,
    pub(crate) finishing_splits: VecDeque<u32>,
    pub(crate) pace: Pace,
    pub(crate) timers: Timers,
    pub(crate) file_systems: FileSystems,
    pub(crate) journal: Journal,
    pub(crate) restoring: Option<Restoring>,
    pub(crate) leading: Leading,
}

impl Coordinator {
    pub fn new(setup: Setup) -> Self {
        let mut journal = Journal::default();
        if setup.durable {
            journal.start();
        }
        Self {
            setup,
            now_ns: 0,
            grace_until_ns: None,
            out: Outbox::default(),
            connections: Connections::default(),
            sessions: Sessions::default(),
            events: Events::default(),
            rights: Rights::default(),
            requests: Requests::default(),
            queue: Queue::default(),
            nodes: Nodes::default(),
            orders: Slab::default(),
            splits: Slab::default(),
            moving: HashMap::default(),
            granted: BTreeMap::new(),
            moving_splits: VecDeque::new(),
            finishing_splits: VecDeque::new(),
            pace: Pace::default(),
            timers: Timers::default(),
            file_systems: FileSystems::default(),
            journal,
            restoring: None,
            leading: Leading::default(),
        }
    }

    /// Somebody connected; `None` if there are too many already. The number is never used again.
    pub fn connected(&mut self, now_ns: u64, peer: Peer) -> Option<u32> {
        if !self.at(now_ns) {
            return None;
        }
        self.connections.add(peer)
    }

    /// A connection has ended. What it waited for is forgotten; what it asked for goes on.
    //= docs/wire.md#w-22
    pub fn disconnected(&mut self, now_ns: u64, connection: u32) {
        if self.at(now_ns) && self.part_with(connection) {
            self.dispatch();
        }
    }

    fn part_with(&mut self, connection: u32) -> bool {
        let Some(gone) = self.connections.remove(connection) else { return false };
        self.out.forget(connection);
        self.node_silent(connection, gone.node);
        self.forget_waiters(connection, gone.waits);
        true
    }

    /// Ends a connection from this side: whatever it sent already is not looked at.
    pub(crate) fn close(&mut self, connection: u32) {
        self.out.close(connection);
        self.part_with(connection);
    }

    /// Whatever is due by now.
    pub fn tick(&mut self, now_ns: u64) {
        if !self.at(now_ns) {
            return;
        }
        self.timers_due();
        self.dispatch();
    }

    /// When [`tick`](Self::tick) is to be called next, if nothing comes in before.
    pub fn deadline(&self) -> Option<u64> {
        let leading = self.leading.until_ns.filter(|_| !self.leading.over);
        self.timers.first().into_iter().chain(leading).min()
    }

    pub fn next_output(&mut self) -> Option<Output> {
        self.out.next(self.journal.awaited())
    }

    /// A frame whose body is not as `docs/wire.md` says, or that is no frame at all (`fatal`).
    pub fn malformed(
        &mut self,
        now_ns: u64,
        connection: u32,
        request: u64,
        why: &str,
        fatal: bool,
    ) {
        if !self.at(now_ns) {
            return;
        }
        let Some(state) = self.connections.get_mut(connection) else { return };
        state.seen(request);
        self.out.refuse(connection, request, &Refusal::new(Reason::MALFORMED, 0, why));
        if fatal {
            self.close(connection);
            self.dispatch();
        }
    }

    /// A message has come.
    pub fn handle(&mut self, now_ns: u64, connection: u32, request: u64, message: Message) {
        if !self.at(now_ns) {
            return;
        }
        let Some(state) = self.connections.get_mut(connection) else { return };
        if let Message::Hello(hello) = &message
            && !state.greeted
        {
            state.seen(request);
            self.greet(connection, request, hello);
            return;
        }
        let is_report = Self::is_report(&message);
        let admitted = state.admit(request, is_report);
        if let Err(refusal) = admitted {
            self.out.refuse(connection, request, &refusal);
            self.close(connection);
            self.dispatch();
            return;
        }
        let (role, node) = (state.role, state.node);
        if is_report && role != Role::NODE {
            let refusal = Refusal::new(Reason::NOT_ALLOWED, 0, "only a node reports on orders");
            self.out.refuse(connection, request, &refusal);
            return;
        }
        if let Err(refusal) = self.route(connection, request, node, message) {
            self.refuse(connection, request, &refusal);
        }
        self.dispatch();
    }

    /// Messages of nodes that are not answered.
    fn is_report(message: &Message) -> bool {
        matches!(
            message,
            Message::OrderDone(_) | Message::OrderProgress(_) | Message::OrderRefused(_)
        )
    }

    /// Messages that change nothing, and show what may not be durable yet.
    fn only_looks(message: &Message) -> bool {
        matches!(
            message,
            Message::ListSessions(_)
                | Message::ListDispositions(_)
                | Message::ListTokens(_)
                | Message::FindEvent(_)
                | Message::QueryRight(_)
                | Message::ListRequests(_)
                | Message::ShowRequest(_)
        )
    }

    //= docs/wire.md#w-11
    fn greet(&mut self, connection: u32, request: u64, hello: &Hello) {
        let own = self.setup.cluster;
        let versions = hello.version_from..=hello.version_to;
        let other = hello.cluster != own && hello.cluster != Cluster::default();
        let refusal = if !versions.contains(&VERSION) {
            Some(Refusal::new(Reason::VERSION, VERSION.into(), "version 1 is spoken here"))
        } else if other && own != Cluster::default() {
            Some(Refusal::new(Reason::CLUSTER, 0, "this is another cluster"))
        } else {
            self.connections.welcome(connection, hello)
        };
        if let Some(refusal) = refusal {
            self.out.refuse(connection, request, &refusal);
            self.close(connection);
            return;
        }
        let credits =
            if hello.role == Role::NODE { NODE_CREDITS } else { dray_wire::limits::CREDITS };
        let welcome = Welcome {
            version: VERSION,
            credits,
            frame_max: dray_wire::limits::BODY_MAX as u32,
            lease_ms: u32::try_from(self.setup.lease_ns / 1_000_000).unwrap_or(u32::MAX),
            epoch: self.setup.epoch,
            cluster: own,
            name: Text::new(&self.setup.name),
            ..Welcome::default()
        };
        self.out.send(connection, request, welcome);
    }

    /// Replies, and gives the credit back. What relies on the journal is said when that is durable.
    //= docs/wire.md#w-8
    pub(crate) fn reply(&mut self, connection: u32, request: u64, message: impl Into<Message>) {
        // Who is gone is told nothing.
        if let Some(state) = self.connections.get_mut(connection) {
            state.answered(request);
            match self.journal.awaited() {
                Some(block) => self.out.withhold(block, connection, request, message),
                None => self.out.send(connection, request, message),
            }
        }
    }

    /// The same for what relies on nothing that is recorded: leases, and events, which live at
    /// their sources.
    pub(crate) fn reply_now(&mut self, connection: u32, request: u64, message: impl Into<Message>) {
        if let Some(state) = self.connections.get_mut(connection) {
            state.answered(request);
            self.out.send(connection, request, message);
        }
    }

    /// A request is answered later.
    pub(crate) fn waits(&mut self, (connection, request): At, wait: Wait) {
        if let Some(state) = self.connections.get_mut(connection) {
            state.waits.insert(request, wait);
        }
    }

    pub(crate) fn reply_done(&mut self, connection: u32, request: u64) {
        self.reply(connection, request, Done::default());
    }

    pub(crate) fn refuse(&mut self, connection: u32, request: u64, refusal: &Refusal) {
        if let Some(state) = self.connections.get_mut(connection) {
            state.answered(request);
            self.out.refuse(connection, request, refusal);
        }
    }

    fn route(
        &mut self,
        connection: u32,
        request: u64,
        node: NodeId,
        message: Message,
    ) -> Result<(), Refusal> {
        let at = (connection, request);
        if Self::only_looks(&message) {
            self.check_answerable()?;
        }
        match message {
            Message::Ping(_) => self.reply_now(connection, request, Done::default()),
            Message::CreateSession(it) => self.create_session(at, it)?,
            Message::DestroySession(it) => self.destroy_session(at, it.session)?,
            Message::ListSessions(it) => self.list_sessions(at, &it),
            Message::SetShare(it) => self.set_share(at, &it)?,
            Message::SetDisposition(it) => self.set_disposition(at, &it)?,
            Message::ListDispositions(it) => self.list_dispositions(at, it.session)?,
            Message::RaiseEvent(it) => self.raise_event(at, it)?,
            Message::GetEvents(it) => self.get_events(at, &it)?,
            Message::RespondEvent(it) => self.respond_event(at, &it)?,
            Message::PendEvent(it) => self.pend_event(at, &it)?,
            Message::MoveEvent(it) => self.move_event(at, &it)?,
            Message::CreateUserEvent(it) => self.create_user_event(at, it)?,
            Message::SendMessage(it) => self.send_message(at, it)?,
            Message::ListTokens(it) => self.list_tokens(at, &it)?,
            Message::FindEvent(it) => self.find_event(at, &it)?,
            Message::RequestRight(it) => self.request_right(at, &it)?,
            Message::ReleaseRight(it) => self.release_right(at, &it)?,
            Message::UpgradeRight(it) => self.upgrade_right(at, &it)?,
            Message::DowngradeRight(it) => self.downgrade_right(at, &it)?,
            Message::QueryRight(it) => self.query_right(at, &it)?,
            Message::Submit(it) => self.submit(at, it)?,
            Message::Cancel(it) => self.cancel(at, &it)?,
            Message::Watch(it) => self.watch(at, &it),
            Message::ListRequests(it) => self.list_requests(at, &it)?,
            Message::ShowRequest(it) => self.show_request(at, it.request)?,
            Message::Join(it) => self.join(at, &it)?,
            Message::Renew(it) => self.renew(at, node, &it)?,
            Message::ListNodes(_) => self.list_nodes(at),
            Message::SetLimit(it) => self.set_limit(at, &it)?,
            Message::OrderDone(it) => self.order_done(node, it),
            Message::OrderProgress(it) => self.order_progress(node, &it),
            Message::OrderRefused(it) => self.order_refused(node, &it),
            other => {
                let kind = other.kind();
                let text = format!("kind {kind} is not one that is asked here");
                return Err(Refusal::new(Reason::UNKNOWN_KIND, kind.0.into(), text));
            }
        }
        Ok(())
    }

    /// Requests that have not ended.
    pub fn open_requests(&self) -> usize {
        self.requests.open
    }

    pub(crate) fn connection(&self, connection: u32) -> Option<&Connection> {
        self.connections.get(connection)
    }
}
