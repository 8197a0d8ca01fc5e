//! A large file in steps, on two cores.

use dray_wire::messages::{CancelOrder, ItemResult, Order, OrderItem};
use dray_wire::{Bytes, List, OrderId, Reason, Status, Step, Verb};

use crate::played::{Coordinator, EPOCH};
use crate::site::{content, with_node};

const LONG: u32 = 120_000;
const PART: u64 = 16 << 20;

/// Grants and sends one step of a file; its order.
async fn send(
    coordinator: &mut Coordinator,
    verb: Verb,
    (step, core): (Step, u16),
    item: OrderItem,
) -> OrderId {
    let token = 10;
    coordinator.grant(token, verb.right(), &[item.handle]).await;
    let order = coordinator.order(token, verb, vec![item]);
    let order = Order { step, core, ..order };
    let id = order.order;
    coordinator.send(order, 0).await;
    id
}

async fn one(coordinator: &mut Coordinator, order: OrderId) -> ItemResult {
    coordinator.outcome(order, 1).await.unwrap().remove(0)
}

fn parts(size: u64) -> Vec<(u64, u64)> {
    (0..size.div_ceil(PART)).map(|at| (at * PART, PART.min(size - at * PART))).collect()
}

/// Begins, moves parts on both cores in turn, and finishes.
async fn in_steps(coordinator: &mut Coordinator, verb: Verb, item: &OrderItem) -> ItemResult {
    let begin = send(coordinator, verb, (Step::BEGIN, 0), item.clone()).await;
    let begun = one(coordinator, begin).await;
    assert_eq!(begun.status, Status::DONE, "{}", begun.text);
    let mut receipts = vec![begun.receipt.as_slice().to_vec()];
    let (mut under_way, mut cores, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (number, (offset, length)) in parts(item.size).into_iter().enumerate() {
        let receipt = Bytes::new(begun.receipt.as_slice()).unwrap();
        let part = OrderItem { offset, length, receipt, ..item.clone() };
        under_way.push(send(coordinator, verb, (Step::PART, number as u16 % 2), part).await);
    }
    let mut done: Vec<Option<ItemResult>> = vec![None; under_way.len()];
    while done.iter().any(Option::is_none) {
        let dray_wire::Message::OrderDone(report) = coordinator.report().await else {
            panic!("a part was refused")
        };
        let at = under_way.iter().position(|order| *order == report.order).unwrap();
        done[at] = report.results.0.into_iter().next();
    }
    for part in done.into_iter().flatten() {
        assert_eq!(part.status, Status::DONE, "{}", part.text);
        cores.push(part.core);
        bytes += part.bytes;
        receipts.push(part.receipt.as_slice().to_vec());
    }
    cores.sort_unstable();
    cores.dedup();
    assert_eq!(cores.len(), usize::from(coordinator.cores), "every core moved some: {cores:?}");
    assert_eq!(bytes, item.size);
    let mut all = Vec::new();
    for receipt in receipts {
        all.extend_from_slice(&(receipt.len() as u32).to_le_bytes());
        all.extend_from_slice(&receipt);
    }
    let finish = OrderItem { receipt: Bytes::new(all).unwrap(), ..item.clone() };
    let finish = send(coordinator, verb, (Step::FINISH, 0), finish).await;
    one(coordinator, finish).await
}

#[test]
fn a_large_file_is_archived_and_restored_in_steps() {
    with_node(LONG, async |site, coordinator| {
        let size = 4 * PART as usize + 12_345;
        let item = site.make("large", size);
        let archived = in_steps(coordinator, Verb::ARCHIVE, &item).await;
        assert_eq!(archived.status, Status::DONE, "{}", archived.text);
        let released = coordinator.have_done(Verb::RELEASE, vec![item.clone()]).await;
        assert_eq!(released[0].status, Status::DONE, "{}", released[0].text);
        assert!(!site.is_here("large"));
        let restored = in_steps(coordinator, Verb::RESTORE, &item).await;
        assert_eq!(restored.status, Status::DONE, "{}", restored.text);
        assert!(std::fs::read(site.path("large")).unwrap() == content("large", size));
    });
}

#[test]
fn a_part_that_is_cancelled_before_it_begins_is_not_moved() {
    with_node(LONG, async |site, coordinator| {
        let item = site.make("large", 8 * PART as usize);
        let begin = send(coordinator, Verb::ARCHIVE, (Step::BEGIN, 0), item.clone()).await;
        let begun = one(coordinator, begin).await;
        let part = |offset, length| {
            let receipt = Bytes::new(begun.receipt.as_slice()).unwrap();
            OrderItem { offset, length, receipt, ..item.clone() }
        };
        // On one core: the second waits for the first.
        let step = (Step::PART, 1);
        let first = send(coordinator, Verb::ARCHIVE, step, part(0, 7 * PART)).await;
        let second = send(coordinator, Verb::ARCHIVE, step, part(7 * PART, PART)).await;
        let items = List(vec![0]);
        coordinator.send(CancelOrder { epoch: EPOCH, order: second, items }, 0).await;
        let first = one(coordinator, first).await;
        assert_eq!(first.status, Status::DONE, "{}", first.text);
        let second = one(coordinator, second).await;
        assert_eq!((second.status, second.reason), (Status::CANCELLED, Reason::CANCELLED));
        assert!(!site.is_marked("large"));
    });
}

#[test]
fn receipts_that_are_none_are_refused() {
    with_node(LONG, async |site, coordinator| {
        let item = site.make("large", PART as usize);
        for (step, receipt) in [
            (Step::PART, vec![]),
            (Step::PART, vec![7; 30]),
            (Step::FINISH, vec![]),
            (Step::FINISH, vec![9, 0]),
            (Step::FINISH, vec![255; 40]),
        ] {
            let receipt = Bytes::new(receipt).unwrap();
            let wrong = OrderItem { receipt, length: PART, ..item.clone() };
            for verb in [Verb::ARCHIVE, Verb::RESTORE] {
                let order = send(coordinator, verb, (step, 0), wrong.clone()).await;
                let result = one(coordinator, order).await;
                assert_eq!((result.status, result.reason), (Status::FAILED, Reason::MALFORMED));
            }
        }
        // Steps of what is not moved in steps, and steps that there are not.
        for (verb, step) in [(Verb::RELEASE, Step::PART), (Verb::ARCHIVE, Step(9))] {
            let order = send(coordinator, verb, (step, 0), item.clone()).await;
            let result = one(coordinator, order).await;
            assert_eq!(result.reason, Reason::UNKNOWN_VALUE);
        }
        let done = in_steps_of_one(coordinator, &item).await;
        assert_eq!(done.status, Status::DONE, "{}", done.text);
    });
}

async fn in_steps_of_one(coordinator: &mut Coordinator, item: &OrderItem) -> ItemResult {
    coordinator.have_done(Verb::ARCHIVE, vec![item.clone()]).await.remove(0)
}
