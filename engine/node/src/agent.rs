//! A node among the others: it joins, keeps its lease, takes orders, reports.

use std::time::Duration;

use dray_client::{Client, Pushed};
use dray_io::World;
use dray_wire::messages::{Join, Order, OrderRefused, Renew};
use dray_wire::{Epoch, List, Message, Reason, Text};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::worker::admission::{Admission, NotAdmitted};
use crate::worker::{Report, Worker};

/// A lease is renewed so many times in its length, so that two messages may be late.
const RENEWALS: u32 = 3;

/// How often it is looked whether the last work of an ended connection is over.
const LOOK: Duration = Duration::from_millis(5);

/// Every file system: what a node that is alone says.
pub(crate) const EVERYWHERE: [u8; 16] = [0; 16];

/// When a renewal was asked for, and what came back.
type Renewal = (u64, dray_client::Result<Message>);

pub(crate) struct Agent {
    worker: Worker,
    reports: UnboundedReceiver<Report>,
    admission: Admission,
    epoch: Epoch,
    file_systems: Vec<[u8; 16]>,
}

impl Agent {
    pub(crate) fn new(
        worker: Worker,
        reports: UnboundedReceiver<Report>,
        file_systems: Vec<[u8; 16]>,
    ) -> Self {
        let admission = Admission::default();
        Self { worker, reports, admission, epoch: Epoch::NONE, file_systems }
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn into_worker(self) -> Worker {
        self.worker
    }

    /// Serves a coordinator until the connection ends or this node is told to stop.
    pub(crate) async fn serve(
        &mut self,
        client: &Client,
        mut pushed: Pushed,
        stop: &mut tokio::sync::watch::Receiver<bool>,
    ) -> dray_client::Result<()> {
        let sent_ns = self.worker.lease().now_ns();
        let cores = self.worker.shared().machine.core_count() as u16;
        let file_systems = List(self.file_systems.clone());
        let joined = client.ask(Join { cores, file_systems, ..Join::default() }).await?;
        let Message::Joined(joined) = joined else {
            return Err(dray_client::Error::Unexpected(joined.kind()));
        };
        //= docs/wire.md#w-60
        if joined.epoch < self.epoch {
            // One that was deposed and does not know. The one that leads is found in time.
            tracing::warn!(epoch = %joined.epoch, newest = %self.epoch, "an old coordinator");
            return Err(dray_client::Error::Closed);
        }
        tracing::info!(node = %joined.node, epoch = %joined.epoch, "joined");
        self.epoch = joined.epoch;
        self.admission.begin(joined.epoch);
        self.worker.shared().lease.extend(sent_ns, joined.lease_ms);
        let every = Duration::from_millis(u64::from(client.welcome().lease_ms)) / RENEWALS;
        let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
        // After a stall one renewal is as good as many.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Dropped with the connection: an answer that comes late must not bring the lease back.
        let mut renewals = JoinSet::new();
        let mut stopping = *stop.borrow();
        let outcome = loop {
            if stopping && self.worker.under_way() == 0 && self.reports.is_empty() {
                break Ok(());
            }
            tokio::select! {
                message = pushed.recv() => match message {
                    // What has begun is ended and reported under the lease; nothing new is begun.
                    Some(Message::Order(order)) if stopping => leave(client, &order).await?,
                    Some(message) => self.take(client, message).await?,
                    None => break Err(dray_client::Error::Closed),
                },
                report = self.reports.recv() => {
                    if let Some(report) = report {
                        self.report(client, report).await?;
                    }
                }
                _ = ticks.tick() => {
                    if self.worker.is_broken() {
                        tracing::error!("a thread of the engine has ended: so does this node");
                        break Ok(());
                    }
                    renewals.spawn(self.renewal(client));
                }
                Some(Ok(renewed)) = renewals.join_next() => self.renewed(renewed),
                _ = stop.changed(), if !stopping => stopping = true,
                () = tokio::time::sleep(LOOK), if stopping => {}
            }
        };
        self.worker.lease().end();
        outcome
    }

    /// After a connection has ended: nothing new is begun, and what has begun is waited for.
    pub(crate) async fn settle(&mut self) {
        self.worker.lease().end();
        while self.worker.under_way() > 0 && !self.worker.is_broken() {
            tokio::time::sleep(LOOK).await;
        }
        // Nobody is there to be told; the coordinator has given the work to others.
        while self.reports.try_recv().is_ok() {}
    }

    async fn take(&mut self, client: &Client, message: Message) -> dray_client::Result<()> {
        match message {
            Message::Grant(grant) => self.admission.grant(grant),
            Message::Withdraw(withdraw) => self.admission.withdraw(&withdraw),
            Message::Order(order) => self.order(client, order).await?,
            Message::CancelOrder(it) => self.worker.cancel(it.order, &it.items.0),
            other => tracing::warn!(kind = %other.kind(), "this is nothing for a node"),
        }
        Ok(())
    }

    async fn order(&mut self, client: &Client, order: Order) -> dray_client::Result<()> {
        let lease_left = self.worker.lease().left_ns();
        match self.admission.admit(&order, lease_left) {
            Ok(()) => self.worker.take(order),
            Err(NotAdmitted { reason, text }) => {
                tracing::warn!(order = %order.order, %reason, "refused: {text}");
                let refused = OrderRefused {
                    epoch: order.epoch,
                    order: order.order,
                    reason,
                    text: Text::new(&text),
                    ..OrderRefused::default()
                };
                client.tell(refused).await?;
            }
        }
        Ok(())
    }

    async fn report(&mut self, client: &Client, report: Report) -> dray_client::Result<()> {
        if report.over {
            self.admission.over(report.done.order);
        }
        client.tell(report.done).await
    }

    /// Asks for the lease to be renewed; when that was, and the answer.
    fn renewal(&self, client: &Client) -> impl Future<Output = Renewal> + Send + use<> {
        let shared = std::sync::Arc::clone(self.worker.shared());
        let (client, epoch) = (client.clone(), self.epoch);
        let load = u32::try_from(self.worker.under_way()).unwrap_or(u32::MAX);
        async move {
            let sent_ns = shared.lease.now_ns();
            let renew = Renew { epoch, sent_ns, load, ..Renew::default() };
            (sent_ns, client.ask(renew).await)
        }
    }

    /// The time is our own note of it, not what the other end repeats: it is what the lease
    /// hangs on.
    //= docs/wire.md#w-63
    fn renewed(&self, (sent_ns, answer): Renewal) {
        match answer {
            Ok(Message::Renewed(it)) if it.epoch >= self.epoch => {
                self.worker.lease().extend(sent_ns, it.lease_ms);
            }
            Ok(other) => tracing::warn!(kind = %other.kind(), "the lease was not renewed"),
            Err(error) => tracing::warn!(%error, "the lease was not renewed"),
        }
    }
}

/// Leaves an order to other nodes.
async fn leave(client: &Client, order: &Order) -> dray_client::Result<()> {
    let refused = OrderRefused {
        epoch: order.epoch,
        order: order.order,
        reason: Reason::BUSY,
        text: Text::new("this node is being stopped"),
        ..OrderRefused::default()
    };
    client.tell(refused).await
}
