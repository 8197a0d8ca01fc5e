//! What is kept, and for whom.

use dray_store::{Block, Election, Error, Etcd, EtcdSetup, Store};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::suite::{self, Model, Place};
use crate::{candidate, ground, heard, here};

/// A coordinator that stays the same while its store is opened anew.
struct Seat {
    setup: EtcdSetup,
    epoch: u64,
    _election: Election,
}

impl Seat {
    fn new(setup: EtcdSetup) -> Self {
        let election = candidate(&setup, "a");
        let epoch = heard(&election, here).epoch;
        Self { setup, epoch, _election: election }
    }

    fn store(&self) -> Etcd {
        Etcd::open(self.setup.clone(), self.epoch).unwrap()
    }
}

impl Place for Seat {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(self.store())
    }

    fn crash(&mut self, store: Box<dyn Store>) {
        // There is nothing that it does at its end.
        drop(store);
    }
}

#[test]
fn it_keeps_what_the_model_keeps() {
    let Some(ground) = ground("it_keeps_what_the_model_keeps", 1) else { return };
    let mut runner = TestRunner::new(ProptestConfig::with_cases(8));
    let outcome = runner.run(&suite::steps(20), |steps| {
        suite::run(&mut Seat::new(ground.setup()), &steps);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn gaps_are_refused() {
    let Some(ground) = ground("gaps_are_refused (etcd)", 1) else { return };
    suite::refusals(&mut Seat::new(ground.setup()));
}

/// More than one transaction and one answer hold.
#[test]
fn much_is_kept_at_once() {
    let Some(ground) = ground("much_is_kept_at_once", 1) else { return };
    let seat = Seat::new(ground.setup());
    let mut model = Model::new();
    let mut store = seat.store();
    for sizes in [vec![1 << 20; 9], vec![30; 250], vec![700_000, 700_000, 5]] {
        let blocks = model.blocks(&sizes);
        store.commit(&blocks, 3).unwrap();
        model.took(&blocks, 3);
    }
    model.check(&mut store);
    model.check(&mut seat.store());
    store.commit(&[], 255).unwrap();
    model.took(&[], 255);
    model.check(&mut seat.store());
}

#[test]
fn nothing_is_kept_for_one_who_was_deposed() {
    let Some(ground) = ground("nothing_is_kept_for_one_who_was_deposed", 1) else { return };
    let seat = Seat::new(ground.setup());
    let mut model = Model::new();
    let mut old = seat.store();
    let blocks = model.blocks(&[100, 200]);
    old.commit(&blocks, 1).unwrap();
    model.took(&blocks, 1);

    let other = candidate(&seat.setup, "b");
    seat._election.give_back(seat.epoch);
    let lead = heard(&other, here);
    assert!(lead.epoch > seat.epoch);
    let late = model.blocks(&[300]);
    let refused = old.commit(&late, 2).unwrap_err();
    assert!(refused.is_deposed(), "{refused}");
    let mut new = Etcd::open(seat.setup, lead.epoch).unwrap();
    model.check(&mut new);
    let blocks = model.blocks(&[400]);
    new.commit(&blocks, 2).unwrap();
    model.took(&blocks, 2);
    assert!(old.commit(&late, 2).unwrap_err().is_deposed());
    // It was dropped since: nothing is missing.
    assert!(old.read(1).unwrap_err().is_deposed());
    model.check(&mut new);
}

/// The answer to a transaction was lost: it is made again, and found to be done.
#[test]
fn what_was_done_already_is_not_done_again() {
    let Some(ground) = ground("what_was_done_already_is_not_done_again", 1) else { return };
    let seat = Seat::new(ground.setup());
    let (mut one, mut two) = (seat.store(), seat.store());
    let block = |number, byte| Block { number, bytes: vec![byte; 10] };
    one.commit(&[block(1, 1)], 1).unwrap();
    two.commit(&[block(1, 1)], 1).unwrap();
    one.commit(&[block(2, 2)], 1).unwrap();
    // Two users of one epoch cannot be; it would be seen.
    let refused = two.commit(&[block(2, 3), block(3, 3)], 1).unwrap_err();
    assert!(matches!(refused, Error::NotAStore { .. }), "{refused}");
    assert_eq!(seat.store().read(2).unwrap(), [2; 10]);
}

#[test]
fn it_goes_on_when_members_come_back() {
    let Some(mut ground) = ground("it_goes_on_when_members_come_back", 3) else { return };
    let seat = Seat::new(ground.setup());
    let mut model = Model::new();
    let mut store = seat.store();
    let mut commit = |store: &mut Etcd, size| {
        let blocks = model.blocks(&[size]);
        store.commit(&blocks, 1).unwrap();
        model.took(&blocks, 1);
    };
    commit(&mut store, 100);
    // Whichever it is that answers and that leads the members: all others still do.
    for member in 0..3 {
        ground.etcd.kill_member(member);
        commit(&mut store, 200);
        ground.etcd.start_member(member).unwrap();
        ground.etcd.wait().unwrap();
    }
    for member in 0..3 {
        ground.etcd.kill_member(member);
    }
    let blocks = model.blocks(&[300]);
    let error = store.commit(&blocks, 1).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    for member in 0..3 {
        ground.etcd.start_member(member).unwrap();
    }
    ground.etcd.wait().unwrap();
    // Leases live on in etcd, but nobody has prolonged this one meanwhile.
    let lead = heard(&seat._election, here);
    let mut store =
        if lead.epoch == seat.epoch { store } else { Etcd::open(seat.setup, lead.epoch).unwrap() };
    store.commit(&blocks, 1).unwrap();
    model.took(&blocks, 1);
    model.check(&mut store);
    assert!(ground.directory.path().is_dir());
}

#[test]
fn another_format_is_refused_by_name() {
    let Some(ground) = ground("another_format_is_refused_by_name", 1) else { return };
    let seat = Seat::new(ground.setup());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let head = format!("/dray/{}/head", format!("{:02x}", seat.setup.cluster[0]).repeat(16));
    let put = |value: Vec<u8>| {
        runtime.block_on(async {
            let mut client = etcd_client::Client::connect(ground.etcd.endpoints(), None).await?;
            client.put(head.clone(), value, None).await
        })
    };
    put(vec![2, 0, 0, 0, 9, 9]).unwrap();
    let refused = Etcd::open(seat.setup.clone(), seat.epoch).unwrap_err();
    assert!(matches!(refused, Error::Version { found: 2, .. }), "{refused}");
    put(b"something else".to_vec()).unwrap();
    let refused = Etcd::open(seat.setup.clone(), seat.epoch).unwrap_err();
    assert!(matches!(refused, Error::Version { .. }), "{refused}");
    put(vec![1, 0, 0, 0]).unwrap();
    let refused = Etcd::open(seat.setup.clone(), seat.epoch).unwrap_err();
    assert!(matches!(refused, Error::NotAStore { .. }), "{refused}");
}
