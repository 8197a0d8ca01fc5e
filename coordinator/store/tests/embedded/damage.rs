//! Damage to the file is found when it is opened, or does not matter.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dray_store::{Embedded, Store};
use proptest::prelude::*;

use crate::suite::Model;
use crate::{CLUSTER, folder};

/// The files of a store.
struct Files {
    journal: Vec<u8>,
    mark: Vec<u8>,
}

impl Files {
    fn of(folder: &Path) -> Self {
        let read = |name| fs::read(folder.join(name)).unwrap();
        Self { journal: read("journal.redb"), mark: read("journal.next") }
    }
}

/// A store with some blocks, and what they are: as one leaves it that ends, or that is killed.
fn sample(ends: bool) -> (Files, Model) {
    let folder = folder();
    let mut model = Model::new();
    let mut store = Embedded::open(folder.path(), CLUSTER).unwrap();
    for keep_from in 1..12 {
        let blocks = model.blocks(&[3000, 500]);
        store.commit(&blocks, keep_from).unwrap();
        model.took(&blocks, keep_from);
    }
    let killed = Files::of(folder.path());
    drop(store);
    (if ends { Files::of(folder.path()) } else { killed }, model)
}

/// Whether it is opened and has all that it had; false if it is refused.
fn has_all(journal: &[u8], mark: &[u8], model: &Model) -> bool {
    let folder = folder();
    fs::write(folder.path().join("journal.redb"), journal).unwrap();
    fs::write(folder.path().join("journal.next"), mark).unwrap();
    let Ok(mut store) = Embedded::open(folder.path(), CLUSTER) else { return false };
    let mut found = Vec::new();
    let loaded = store.load(&mut |number, bytes| {
        found.push((number, bytes.to_vec()));
        Ok(())
    });
    if loaded.is_err() {
        return false;
    }
    assert!(found.iter().map(|(number, bytes)| (number, bytes)).eq(&model.blocks), "other blocks");
    true
}

fn damage_is_noticed(ends: bool) {
    let (Files { journal, mark }, model) = sample(ends);
    assert!(has_all(&journal, &mark, &model));
    let noticed = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(256));
    // The head of the file says which of the last two commits counts.
    let places = prop_oneof![3 => 0..journal.len(), 1 => 0..4096_usize];
    runner
        .run(&(places, 0..8_u8), |(at, bit)| {
            let mut damaged = journal.clone();
            damaged[at] ^= 1 << bit;
            let outcome = catch_unwind(AssertUnwindSafe(|| has_all(&damaged, &mark, &model)));
            prop_assert!(outcome.is_ok(), "byte {at}, bit {bit}");
            noticed.set(noticed.get() + usize::from(matches!(outcome, Ok(false))));
            Ok(())
        })
        .unwrap();
    assert!(noticed.get() > 0, "most of the file has blocks");
}

#[test]
fn no_damage_goes_unnoticed() {
    damage_is_noticed(true);
}

/// There the database takes a damaged last commit for one that was never finished.
#[test]
fn nor_does_damage_to_what_a_killed_one_left() {
    damage_is_noticed(false);
}

#[test]
fn a_mark_that_is_torn_or_behind_is_no_damage() {
    let (Files { journal, mark }, model) = sample(false);
    let behind = [5_u64.to_le_bytes(), (!5_u64).to_le_bytes()].concat();
    for mark in [&behind[..], &mark[..9], &[], &[9; 16], &[9; 40]] {
        assert!(has_all(&journal, mark, &model), "{mark:?}");
    }
}

#[test]
fn an_older_copy_is_refused_until_the_mark_is_removed() {
    let folder = folder();
    let journal = folder.path().join("journal.redb");
    let mut model = Model::new();
    let mut commit = || {
        let mut store = Embedded::open(folder.path(), CLUSTER).unwrap();
        let blocks = model.blocks(&[100]);
        store.commit(&blocks, 0).unwrap();
        model.took(&blocks, 0);
    };
    commit();
    let old = fs::read(&journal).unwrap();
    commit();
    fs::write(&journal, old).unwrap();
    let refused = Embedded::open(folder.path(), CLUSTER).unwrap_err().to_string();
    assert!(
        refused.contains("ends before block 2") && refused.contains("journal.next"),
        "{refused}"
    );
    fs::remove_file(folder.path().join("journal.next")).unwrap();
    Embedded::open(folder.path(), CLUSTER).unwrap();
    // And one that begins anew has none of it.
    fs::remove_file(&journal).unwrap();
    Embedded::open(folder.path(), CLUSTER).unwrap();
}

#[test]
fn a_file_cut_short_is_refused() {
    let (Files { journal, mark }, model) = sample(true);
    for end in [0, 1, 4096, journal.len() / 2, journal.len() - 4096] {
        assert!(!has_all(&journal[..end], &mark, &model), "{end} of {} bytes", journal.len());
    }
}
