//! The store in an etcd, and who may use it: the properties of every store, and what only several
//! processes can suffer.
#![cfg(feature = "etcd")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "etcd/election.rs"]
mod election;
#[path = "etcd/journal.rs"]
mod journal;
mod suite;

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use dray_store::local::LocalEtcd;
use dray_store::{Election, EtcdSetup, Lead, Leads};
use tempfile::TempDir;

/// For whatever takes no longer than some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// An etcd, and the clusters in it.
struct Ground {
    etcd: LocalEtcd,
    directory: TempDir,
}

/// Starts an etcd, or says why there is none.
fn ground(name: &str, members: usize) -> Option<Ground> {
    let directory = tempfile::Builder::new().prefix("dray-etcd-").tempdir().unwrap();
    match LocalEtcd::start(directory.path(), members) {
        Ok(etcd) => Some(Ground { etcd, directory }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skip(name, "no etcd");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED: {name}: {why}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("DRAY_SKIPS") {
        let file = std::fs::File::options().append(true).create(true).open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Ground {
    /// A cluster that nobody else uses.
    fn setup(&self) -> EtcdSetup {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let cluster = [NEXT.fetch_add(1, Ordering::Relaxed); 16];
        let (endpoints, lead) = (self.etcd.endpoints(), Duration::from_secs(2));
        EtcdSetup { endpoints, tls: None, cluster, lead }
    }
}

fn candidate(setup: &EtcdSetup, name: &str) -> Election {
    Election::start(setup.clone(), Some(name.to_owned())).unwrap()
}

/// Waits for what an election says.
fn heard<T>(election: &Election, wanted: impl Fn(&Leads) -> Option<T>) -> T {
    let (leads, until) = (election.leads(), Instant::now() + PATIENCE);
    loop {
        if let Some(found) = wanted(&leads.borrow()) {
            return found;
        }
        assert!(Instant::now() < until, "it says {:?}", leads.borrow());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn here(leads: &Leads) -> Option<Lead> {
    match leads {
        Leads::Here(lead) => Some(lead.clone()),
        _ => None,
    }
}

fn there(leads: &Leads) -> Option<String> {
    match leads {
        Leads::There { name } => Some(name.clone()),
        _ => None,
    }
}

fn nobody(leads: &Leads) -> Option<String> {
    match leads {
        Leads::Nobody { why } => Some(why.clone()),
        _ => None,
    }
}
