//! Orders of many files, and items that are taken back.

use dray_wire::messages::{CancelOrder, OrderItem};
use dray_wire::{List, Status, Verb};

use crate::played::EPOCH;
use crate::site::{content, released, with_node};

const LONG: u32 = 120_000;
const FILES: usize = 600;

fn name(index: usize) -> String {
    format!("file-{index}")
}

#[test]
fn many_files_there_and_back() {
    with_node(LONG, async |site, coordinator| {
        let items: Vec<OrderItem> =
            (0..FILES).map(|index| site.make(&name(index), 4096 + index)).collect();
        released(coordinator, &items).await;
        assert!((0..FILES).all(|index| !site.is_here(&name(index))));
        // Again is nothing to do, and is said of each.
        let again = coordinator.have_done(Verb::RELEASE, items.clone()).await;
        assert!(again.iter().all(|result| result.status == Status::NOTHING), "{again:?}");
        let back = coordinator.have_done(Verb::RESTORE, items).await;
        assert!(back.iter().all(|result| result.status == Status::DONE), "{back:?}");
        for index in 0..FILES {
            let file = std::fs::read(site.path(&name(index))).unwrap();
            assert!(file == content(&name(index), 4096 + index), "{index}");
        }
    });
}

/// A range twice, and another one, of one file in one order: each has its own answer.
#[test]
fn ranges_of_one_file() {
    with_node(LONG, async |site, coordinator| {
        let size = 4 << 20;
        let item = site.make("file", size);
        released(coordinator, std::slice::from_ref(&item)).await;
        let range = |offset, length| OrderItem { offset, length, ..item.clone() };
        let items = vec![range(0, 1 << 20), range(3 << 20, 1 << 20), range(0, 1 << 20)];
        let results = coordinator.have_done(Verb::RESTORE, items).await;
        assert_eq!(results[0].status, Status::DONE, "{}", results[0].text);
        assert_eq!(results[1].status, Status::DONE, "{}", results[1].text);
        assert!(results[2].status.is_final());
        let (file, all) = (std::fs::read(site.path("file")).unwrap(), content("file", size));
        assert!(file[..1 << 20] == all[..1 << 20] && file[3 << 20..] == all[3 << 20..]);
    });
}

/// What has not begun is not begun; the rest is done. Each is answered once, and truly.
#[test]
fn items_that_are_cancelled() {
    with_node(LONG, async |site, coordinator| {
        let items: Vec<OrderItem> = (0..FILES).map(|index| site.make(&name(index), 4096)).collect();
        // Some are ahead of them in the same lane.
        let ahead: Vec<OrderItem> =
            (0..FILES).map(|index| site.make(&format!("ahead-{index}"), 40_000)).collect();
        released(coordinator, &[items.clone(), ahead.clone()].concat()).await;
        for (token, items) in [(7, &ahead), (8, &items)] {
            let files: Vec<_> = items.iter().map(|item| item.handle).collect();
            coordinator.grant(token, Verb::RESTORE.right(), &files).await;
        }
        let first = coordinator.order(7, Verb::RESTORE, ahead);
        let second = coordinator.order(8, Verb::RESTORE, items);
        let (one, other) = (first.order, second.order);
        coordinator.send(first, 0).await;
        coordinator.send(second, 0).await;
        let cancel =
            CancelOrder { epoch: EPOCH, order: other, items: List((0..FILES as u32).collect()) };
        coordinator.send(cancel, 0).await;
        let outcomes = coordinator.outcomes(&[(one, FILES), (other, FILES)]).await;
        let results = outcomes.into_iter().next_back().unwrap();
        let cancelled = results.iter().filter(|it| it.status == Status::CANCELLED).count();
        println!("{cancelled} of {FILES} were cancelled");
        assert!(cancelled > 0);
        for (index, result) in results.iter().enumerate() {
            let done = result.status == Status::DONE;
            assert!(done || result.status == Status::CANCELLED, "{}", result.text);
            assert_eq!(site.is_here(&name(index)), done);
        }
    });
}
