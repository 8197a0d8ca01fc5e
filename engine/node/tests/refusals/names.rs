//! Names are hints; the handle says which file is meant.

use dray_wire::messages::OrderItem;
use dray_wire::{FileHandle, Name, Reason, Status, Verb};

use crate::site::{content, released, wire_name, with_node};

const LONG: u32 = 120_000;

fn may_open_by_handle() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("left out: opening by handle takes root");
    }
    root
}

#[test]
fn a_handle_that_leads_nowhere_is_the_wrong_file() {
    with_node(LONG, async |site, coordinator| {
        let good = site.make("file", 5000);
        let handle = FileHandle { inode: u64::from(u32::MAX) - 5, ..good.handle };
        let wrong = OrderItem { handle, ..good.clone() };
        let of_another_time = FileHandle { generation: !good.handle.generation, ..good.handle };
        let old = OrderItem { handle: of_another_time, ..good.clone() };
        let results = coordinator.have_done(Verb::ARCHIVE, vec![wrong, good, old]).await;
        assert_eq!((results[0].status, results[0].reason), (Status::FAILED, Reason::WRONG_FILE));
        assert_eq!(results[1].status, Status::DONE, "{}", results[1].text);
        assert_eq!((results[2].status, results[2].reason), (Status::FAILED, Reason::WRONG_FILE));
    });
}

#[test]
fn a_file_without_a_name_is_found_by_its_handle() {
    if !may_open_by_handle() {
        return;
    }
    with_node(LONG, async |site, coordinator| {
        let named = site.make("file", 5000);
        let nameless = OrderItem { name: Name::default(), ..named };
        released(coordinator, std::slice::from_ref(&nameless)).await;
        assert!(site.is_marked("file") && !site.is_here("file"));
        let results = coordinator.have_done(Verb::RESTORE, vec![nameless]).await;
        assert_eq!(results[0].status, Status::DONE, "{}", results[0].text);
        assert_eq!(std::fs::read(site.path("file")).unwrap(), content("file", 5000));
    });
}

#[test]
fn a_file_that_was_renamed_is_found_by_its_handle() {
    if !may_open_by_handle() {
        return;
    }
    with_node(LONG, async |site, coordinator| {
        let (one, other) = (site.make("one", 5000), site.make("other", 5000));
        std::fs::rename(site.path("one"), site.path("moved")).unwrap();
        std::fs::rename(site.path("other"), site.path("gone")).unwrap();
        // Something else has the name of the first; that of the second leads nowhere.
        site.make("one", 700);
        for verb in [Verb::ARCHIVE, Verb::RELEASE, Verb::RESTORE] {
            for result in coordinator.have_done(verb, vec![one.clone(), other.clone()]).await {
                assert_eq!(result.status, Status::DONE, "{verb}: {}", result.text);
            }
        }
        assert!(site.is_marked("moved") && site.is_marked("gone") && !site.is_marked("one"));
        assert_eq!(std::fs::read(site.path("moved")).unwrap(), content("one", 5000));
    });
}

/// One of them was renamed after it was asked for. Each has an answer of its own.
#[test]
fn two_files_under_one_name_are_not_taken_for_one() {
    with_node(LONG, async |site, coordinator| {
        let first = site.make("a", 5000);
        std::fs::rename(site.path("a"), site.path("b")).unwrap();
        let second = site.make("a", 6000);
        let gone = FileHandle { generation: !first.handle.generation, ..first.handle };
        let gone = OrderItem { handle: gone, ..first.clone() };
        let by_name = OrderItem { name: wire_name(&site.path("b")), ..first };
        let items = vec![gone.clone(), second.clone(), by_name, gone];
        for verb in [Verb::ARCHIVE, Verb::RELEASE, Verb::RESTORE] {
            let results = coordinator.have_done(verb, items.clone()).await;
            let statuses: Vec<Status> = results.iter().map(|result| result.status).collect();
            let expected = [Status::FAILED, Status::DONE, Status::DONE, Status::FAILED];
            assert_eq!(statuses, expected, "{verb}: {results:?}");
        }
        assert_eq!(std::fs::read(site.path("a")).unwrap(), content("a", 6000));
        assert_eq!(std::fs::read(site.path("b")).unwrap(), content("a", 5000));
    });
}
