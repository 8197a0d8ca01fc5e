//! One at a time leads.

use std::time::{Duration, Instant};

use dray_store::Election;

use crate::{candidate, ground, heard, here, nobody, there};

/// What etcd takes to see that a lease has ended, and candidates to hear of it.
const NOTICE: Duration = Duration::from_secs(2);

#[test]
fn one_of_three_leads_and_the_others_know() {
    let Some(ground) = ground("one_of_three_leads_and_the_others_know", 3) else { return };
    let setup = ground.setup();
    let watcher = Election::start(setup.clone(), None).unwrap();
    assert!(!heard(&watcher, nobody).is_empty());
    let mut all =
        ["a", "b", "c"].map(|name| (name, candidate(&setup, name))).into_iter().collect::<Vec<_>>();
    let leaders = |all: &[(&str, Election)]| -> Vec<usize> {
        let leads = |at: &usize| here(&all[*at].1.leads().borrow()).is_some();
        (0..all.len()).filter(leads).collect()
    };
    let mut epochs = Vec::new();
    heard(&watcher, there);
    loop {
        let [leader] = leaders(&all)[..] else { panic!("{:?} lead", leaders(&all)) };
        let name = all[leader].0;
        heard(&watcher, |leads| there(leads).filter(|it| it == name));
        let lead = heard(&all[leader].1, here);
        assert!(epochs.last().is_none_or(|last| *last < lead.epoch), "{epochs:?} {lead:?}");
        epochs.push(lead.epoch);
        // It is prolonged.
        let first = *lead.until.borrow();
        while *lead.until.borrow() == first {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nobody else leads before that of one that ends is over.
        let ends = Instant::now();
        drop(all.remove(leader));
        let until = *lead.until.borrow();
        if all.is_empty() {
            break;
        }
        while leaders(&all).is_empty() {
            assert!(ends.elapsed() < setup.lead + NOTICE, "nobody follows");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Instant::now() >= until, "two led at once");
    }
    assert_eq!(epochs.len(), 3);
}

#[test]
fn a_lead_that_is_given_back_goes_to_another_at_once() {
    let Some(ground) = ground("a_lead_that_is_given_back_goes_to_another_at_once", 1) else {
        return;
    };
    let setup = ground.setup();
    let one = candidate(&setup, "a");
    let lead = heard(&one, here);
    let two = candidate(&setup, "b");
    assert_eq!(heard(&two, there), "a");
    let began = Instant::now();
    one.give_back(lead.epoch);
    heard(&two, here);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(heard(&one, there), "b");
}

#[test]
fn without_etcd_nobody_leads_until_it_is_there() {
    let Some(mut ground) = ground("without_etcd_nobody_leads_until_it_is_there", 1) else { return };
    let setup = ground.setup();
    ground.etcd.kill_member(0);
    let one = candidate(&setup, "a");
    let why = heard(&one, |leads| nobody(leads).filter(|why| why.contains("http")));
    assert!(why.contains(&setup.endpoints[0]), "{why}");
    ground.etcd.start_member(0).unwrap();
    let lead = heard(&one, here);
    // And when it goes away, the lead ends before anybody else could have it.
    ground.etcd.kill_member(0);
    heard(&one, nobody);
    assert!(Instant::now() >= *lead.until.borrow());
}

#[test]
fn whoever_loses_the_key_leads_no_more() {
    let Some(ground) = ground("whoever_loses_the_key_leads_no_more", 1) else { return };
    let setup = ground.setup();
    let one = candidate(&setup, "a");
    let lead = heard(&one, here);
    let key = format!("/dray/{}/leader", format!("{:02x}", setup.cluster[0]).repeat(16));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deleted = runtime.block_on(async {
        let mut client = etcd_client::Client::connect(&setup.endpoints, None).await?;
        client.delete(key, None).await
    });
    deleted.unwrap();
    let next = heard(&one, |leads| here(leads).filter(|it| it.epoch > lead.epoch));
    assert!(next.epoch > lead.epoch);
}
