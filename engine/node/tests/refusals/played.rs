//! A coordinator that says what a test wants.

use std::time::Duration;

use dray_link::{Listener, Stream};
use dray_wire::messages::*;
use dray_wire::{
    Deframer, Epoch, FileHandle, List, Message, NodeId, OrderId, Reason, Right, SessionId, Token,
    Verb,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer than anything takes on a busy machine; only a broken test waits for it.
pub(crate) const AMPLE: Duration = Duration::from_secs(60);

pub(crate) const EPOCH: Epoch = Epoch(5);
pub(crate) const SESSION: SessionId = SessionId(11);

pub(crate) struct Coordinator {
    stream: Stream,
    deframer: Deframer,
    pub(crate) lease_ms: u32,
    /// Of the node: two, where there are so many.
    pub(crate) cores: u16,
    /// Answer renewals.
    pub(crate) renewing: bool,
    /// Repeat another time than the node's.
    pub(crate) lying: bool,
    last_order: u64,
}

/// What came of an order: a result for each item, or why not.
pub(crate) type Outcome = Result<Vec<ItemResult>, Reason>;

/// The answers to an order as they come.
struct Gathered {
    order: OrderId,
    results: Vec<Option<ItemResult>>,
    heard: bool,
}

impl Gathered {
    fn new(order: OrderId, count: usize) -> Self {
        Self { order, results: vec![None; count], heard: false }
    }

    /// False if it is of another order.
    fn take(&mut self, done: OrderDone) -> bool {
        self.heard = true;
        for result in done.results.0 {
            let place = &mut self.results[result.index as usize];
            assert!(place.replace(result).is_none(), "answered twice");
        }
        self.order == done.order
    }

    fn all(&self) -> bool {
        self.heard && self.results.iter().all(Option::is_some)
    }

    fn into_results(self) -> Vec<ItemResult> {
        self.results.into_iter().flatten().collect()
    }
}

impl Coordinator {
    /// Waits for the node, and lets it join.
    pub(crate) async fn accept(listener: &Listener, lease_ms: u32) -> Self {
        let pending = tokio::time::timeout(AMPLE, listener.accept()).await.unwrap().unwrap();
        let (stream, _) = pending.establish(AMPLE).await.unwrap();
        let deframer = Deframer::default();
        let (cores, renewing, lying, last_order) = (0, true, false, 0);
        let mut own = Self { stream, deframer, lease_ms, cores, renewing, lying, last_order };
        let (request, hello) = own.receive().await;
        assert!(matches!(hello, Message::Hello(_)), "{hello:?}");
        let welcome =
            Welcome { version: 1, credits: 64, epoch: EPOCH, lease_ms, ..Welcome::default() };
        own.send(welcome, request).await;
        let (request, join) = own.receive().await;
        let Message::Join(join) = join else { panic!("{join:?}") };
        own.cores = join.cores;
        own.send(Joined { node: NodeId(1), lease_ms, epoch: EPOCH, ..Joined::default() }, request)
            .await;
        own
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>, request: u64) {
        let mut bytes = Vec::new();
        dray_wire::encode(&message.into(), request, &mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn receive(&mut self) -> (u64, Message) {
        loop {
            if let Some(frame) = self.deframer.next_frame().unwrap() {
                let message = Message::decode(frame.header.kind, frame.body).unwrap();
                return (frame.header.request, message);
            }
            let read = self.stream.read_buf(self.deframer.buffer());
            let read = tokio::time::timeout(AMPLE, read).await.expect("the node says something");
            assert!(read.unwrap() > 0, "the node has gone");
        }
    }

    /// What the node reports next; renewals are answered meanwhile.
    pub(crate) async fn report(&mut self) -> Message {
        loop {
            let (request, message) = self.receive().await;
            let Message::Renew(renew) = message else { return message };
            if self.renewing {
                self.renewed(request, &renew).await;
            }
        }
    }

    async fn renewed(&mut self, request: u64, renew: &Renew) {
        let sent_ns = if self.lying { u64::MAX / 2 } else { renew.sent_ns };
        let (epoch, lease_ms) = (renew.epoch, self.lease_ms);
        self.send(Renewed { epoch, sent_ns, lease_ms, ..Renewed::default() }, request).await;
    }

    /// Lets time pass; renewals are answered, or not.
    pub(crate) async fn idle(&mut self, time: Duration) {
        let reported = tokio::time::timeout(time, self.report()).await;
        assert!(reported.is_err(), "{reported:?}");
    }

    pub(crate) async fn grant(&mut self, token: u64, right: Right, files: &[FileHandle]) {
        let (handles, session) = (List(files.to_vec()), SESSION);
        let token = Token(token);
        let grant = Grant { epoch: EPOCH, session, token, right, handles, ..Grant::default() };
        self.send(grant, 0).await;
    }

    /// An order as a good coordinator would give it, under the token.
    pub(crate) fn order(&mut self, token: u64, verb: Verb, items: Vec<OrderItem>) -> Order {
        self.last_order += 1;
        Order {
            epoch: EPOCH,
            order: OrderId(self.last_order),
            session: SESSION,
            token: Token(token),
            right: verb.right(),
            verb,
            lease_ms: self.lease_ms,
            items: List(items),
            ..Order::default()
        }
    }

    /// Gives an order and waits for the answer to all of it.
    pub(crate) async fn give(&mut self, order: Order) -> Outcome {
        let count = order.items.0.len();
        let id = order.order;
        self.send(order, 0).await;
        self.outcome(id, count).await
    }

    pub(crate) async fn outcome(&mut self, order: OrderId, count: usize) -> Outcome {
        let mut results = Gathered::new(order, count);
        while !results.all() {
            match self.report().await {
                Message::OrderRefused(it) => {
                    assert_eq!(it.order, order);
                    assert!(!it.text.as_str().is_empty());
                    return Err(it.reason);
                }
                Message::OrderDone(it) => assert!(results.take(it)),
                other => panic!("{other:?}"),
            }
        }
        Ok(results.into_results())
    }

    /// Of orders that are under way at once and not refused.
    pub(crate) async fn outcomes(&mut self, orders: &[(OrderId, usize)]) -> Vec<Vec<ItemResult>> {
        let mut all: Vec<_> = orders.iter().map(|(id, count)| Gathered::new(*id, *count)).collect();
        while !all.iter().all(Gathered::all) {
            let report = self.report().await;
            let Message::OrderDone(done) = report else { panic!("{report:?}") };
            let mut own = all.iter_mut().filter(|it| it.order == done.order);
            assert!(own.next().is_some_and(|it| it.take(done)));
        }
        all.into_iter().map(Gathered::into_results).collect()
    }

    /// Grants what the order needs, gives it, and expects that it is taken.
    pub(crate) async fn have_done(&mut self, verb: Verb, items: Vec<OrderItem>) -> Vec<ItemResult> {
        let token = 1000 + self.last_order;
        let files: Vec<FileHandle> = items.iter().map(|item| item.handle).collect();
        self.grant(token, verb.right(), &files).await;
        let order = self.order(token, verb, items);
        self.give(order).await.expect("it is a good order")
    }
}
