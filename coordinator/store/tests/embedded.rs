//! The store in a file: the properties of every store, and what only a file can suffer.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "embedded/damage.rs"]
mod damage;
#[path = "embedded/full.rs"]
mod full;
#[path = "embedded/opening.rs"]
mod opening;
mod suite;

use dray_store::{Block, Embedded, Store};
use proptest::prelude::*;
use suite::{Model, Place};
use tempfile::TempDir;

pub(crate) const CLUSTER: [u8; 16] = [7; 16];

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("dray-store-").tempdir().unwrap()
}

struct Directory(TempDir);

impl Place for Directory {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(Embedded::open(self.0.path(), CLUSTER).unwrap())
    }

    /// The files as they are while the store is open are what a process leaves that is killed.
    fn crash(&mut self, store: Box<dyn Store>) {
        let after = folder();
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), after.path().join(entry.file_name())).unwrap();
        }
        drop(store);
        self.0 = after;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn it_keeps_what_the_model_keeps(steps in suite::steps(30)) {
        suite::run(&mut Directory(folder()), &steps);
    }
}

#[test]
fn gaps_are_refused() {
    suite::refusals(&mut Directory(folder()));
}

#[test]
fn space_of_dropped_blocks_is_used_again() {
    let folder = folder();
    let mut store = Embedded::open(folder.path(), CLUSTER).unwrap();
    let size = || std::fs::metadata(folder.path().join("journal.redb")).unwrap().len();
    let mut most = 0;
    for number in 1..400 {
        let block = Block { number, bytes: suite::bytes(number, 100_000) };
        store.commit(&[block], number.saturating_sub(50)).unwrap();
        if number == 100 {
            most = size();
        }
    }
    assert!(size() <= most, "{} bytes after 400 blocks, {most} after 100", size());
    assert!(most < 3 * 50 * 100_000, "{most} bytes for 50 blocks of 100,000");
}

#[test]
fn what_was_kept_stays_through_an_opening_of_another_kind() {
    let folder = folder();
    let mut model = Model::new();
    let blocks = model.blocks(&[1000, 2000]);
    Embedded::open(folder.path(), CLUSTER).unwrap().commit(&blocks, 1).unwrap();
    model.took(&blocks, 1);
    assert!(Embedded::open(folder.path(), [8; 16]).is_err());
    model.check(&mut Embedded::open(folder.path(), CLUSTER).unwrap());
}
