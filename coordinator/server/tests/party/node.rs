//! A node that moves nothing and says that it did.

use std::sync::{Arc, Mutex};

use dray_client::{Client, Options};
use dray_wire::messages::{ItemResult, Join, Order, OrderDone};
use dray_wire::{List, Message, Status};

use super::{FS, Place};

/// Orders that a played node has got.
#[derive(Clone, Default)]
pub(crate) struct Played {
    pub(crate) orders: Arc<Mutex<Vec<Order>>>,
    /// The node does nothing while somebody holds it.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
}

/// Joins and answers each item as `act` says; its index is set here.
pub(crate) async fn play(
    place: &Place,
    name: &str,
    act: impl Fn(&Order, usize) -> ItemResult + Send + Sync + 'static,
) -> Played {
    let options = Options::node(name);
    let (client, mut pushed) = Client::connect(&place.address, None, &options).await.unwrap();
    let join = Join { cores: 2, file_systems: List(vec![FS]), ..Join::default() };
    let joined = client.ask(join).await.unwrap();
    let Message::Joined(joined) = joined else { panic!("{joined:?}") };
    let every = std::time::Duration::from_millis(u64::from(joined.lease_ms) / 3);
    let (keeper, epoch) = (client.clone(), joined.epoch);
    tokio::spawn(async move {
        let renew = || dray_wire::messages::Renew { epoch, ..Default::default() };
        while keeper.ask(renew()).await.is_ok() {
            tokio::time::sleep(every).await;
        }
    });
    let played = Played::default();
    let own = played.clone();
    tokio::spawn(async move {
        while let Some(message) = pushed.recv().await {
            let Message::Order(order) = message else { continue };
            own.orders.lock().unwrap().push(order.clone());
            let gate = own.gate.lock().await;
            if answer(&client, &order, &act).await.is_err() {
                return;
            }
            drop(gate);
        }
    });
    played
}

async fn answer(
    client: &Client,
    order: &Order,
    act: &(impl Fn(&Order, usize) -> ItemResult + Sync),
) -> dray_client::Result<()> {
    // With texts of full length these fit a frame.
    let all: Vec<usize> = (0..order.items.0.len()).collect();
    for some in all.chunks(256) {
        let result = |index: &usize| ItemResult { index: *index as u32, ..act(order, *index) };
        let results = List(some.iter().map(result).collect());
        let done = OrderDone { epoch: order.epoch, order: order.order, results };
        client.tell(done).await?;
        // So that nothing piles up here.
        client.ping().await?;
    }
    Ok(())
}

impl Played {
    pub(crate) fn done(_: &Order, _: usize) -> ItemResult {
        ItemResult { status: Status::DONE, bytes: 4096, ..ItemResult::default() }
    }
}
