//! Damage to the file is found when it is opened, or does not matter.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dray_store::{Embedded, Store};
use proptest::prelude::*;

use crate::suite::Model;
use crate::{CLUSTER, folder};

/// The file of a store with some blocks, and what they are.
fn sample() -> (Vec<u8>, Model) {
    let folder = folder();
    let mut model = Model::new();
    let mut store = Embedded::open(folder.path(), CLUSTER).unwrap();
    for keep_from in 1..12 {
        let blocks = model.blocks(&[3000, 500]);
        store.commit(&blocks, keep_from).unwrap();
        model.took(&blocks, keep_from);
    }
    drop(store);
    (fs::read(folder.path().join("journal.redb")).unwrap(), model)
}

/// Whether it is opened and has all that it had; false if it is refused.
fn has_all(file: &[u8], model: &Model) -> bool {
    let folder = folder();
    fs::write(folder.path().join("journal.redb"), file).unwrap();
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

#[test]
fn no_damage_goes_unnoticed() {
    let (file, model) = sample();
    assert!(has_all(&file, &model));
    let noticed = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(256));
    runner
        .run(&(0..file.len(), 0..8_u8), |(at, bit)| {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            let outcome = catch_unwind(AssertUnwindSafe(|| has_all(&damaged, &model)));
            prop_assert!(outcome.is_ok(), "byte {at}, bit {bit}");
            noticed.set(noticed.get() + usize::from(matches!(outcome, Ok(false))));
            Ok(())
        })
        .unwrap();
    assert!(noticed.get() > 0, "most of the file has blocks");
}

#[test]
fn a_file_cut_short_is_refused() {
    let (file, model) = sample();
    for end in [0, 1, 4096, file.len() / 2, file.len() - 4096] {
        assert!(!has_all(&file[..end], &model), "{end} of {} bytes", file.len());
    }
}
