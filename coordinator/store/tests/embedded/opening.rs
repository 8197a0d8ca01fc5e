//! Epochs, and stores that may not be opened.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use dray_store::{Embedded, Error};
use redb::{Database, TableDefinition};

use crate::{CLUSTER, folder};

#[test]
fn the_epoch_is_the_time_and_grows() {
    let folder = folder();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = Embedded::open(folder.path(), CLUSTER).unwrap().epoch();
    assert!((now..now + 60).contains(&first));
    let epochs: Vec<u64> =
        (0..5).map(|_| Embedded::open(folder.path(), CLUSTER).unwrap().epoch()).collect();
    assert!(first < epochs[0] && epochs.is_sorted_by(|a, b| a < b), "{first} {epochs:?}");
}

#[test]
fn one_process_at_a_time() {
    let folder = folder();
    let first = Embedded::open(folder.path(), CLUSTER).unwrap();
    assert!(matches!(Embedded::open(folder.path(), CLUSTER), Err(Error::Locked { .. })));
    drop(first);
    Embedded::open(folder.path(), CLUSTER).unwrap();
}

#[test]
fn another_cluster_is_named() {
    let folder = folder();
    Embedded::open(folder.path(), CLUSTER).unwrap();
    let error = Embedded::open(folder.path(), [8; 16]).unwrap_err();
    assert!(matches!(error, Error::OtherCluster { found: CLUSTER, .. }), "{error}");
}

#[test]
fn a_newer_format_is_named() {
    let folder = folder();
    Embedded::open(folder.path(), CLUSTER).unwrap();
    let database = Database::open(folder.path().join("journal.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<'_, &str, &[u8]>::new("meta"))
        .unwrap()
        .insert("format", 2_u32.to_le_bytes().as_slice())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Embedded::open(folder.path(), CLUSTER).unwrap_err();
    assert!(error.to_string().ends_with("was written by format 2; this dray reads 1"), "{error}");
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("journal.redb");
    for bytes in [b"not a database".to_vec(), vec![0; 100_000], vec![]] {
        fs::write(&path, &bytes).unwrap();
        let error = Embedded::open(folder.path(), CLUSTER).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::remove_file(&path).unwrap();
    drop(Database::create(&path).unwrap());
    let error = Embedded::open(folder.path(), CLUSTER).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error:?}");
}

#[test]
fn one_that_was_not_finished_is_made_again() {
    let folder = folder();
    fs::write(folder.path().join("journal.new"), b"half").unwrap();
    Embedded::open(folder.path(), CLUSTER).unwrap();
    assert!(!folder.path().join("journal.new").exists());
}

#[test]
fn where_a_file_is_in_the_way_it_is_named() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, b"").unwrap();
    let error = Embedded::open(&path, CLUSTER).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
