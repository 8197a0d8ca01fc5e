//! An etcd of three members on this machine, and the lead in it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dray_server::Durable;
use dray_store::limits::LEAD;
use dray_store::local::LocalEtcd;
use dray_store::{Election, Etcd, EtcdSetup, Lead, Leads};
use tempfile::TempDir;

use super::place::CLUSTER;

const MEMBERS: usize = 3;
/// Nobody else stands for election.
const ELECTED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

/// They end, and what they kept is removed, with this. Whoever is elected stays so.
pub(super) struct Cluster {
    setup: EtcdSetup,
    lead: Lead,
    // In this order: the lead is kept in the members, which write into the directory.
    _election: Election,
    _members: LocalEtcd,
    _directory: TempDir,
}

impl Cluster {
    pub(super) fn start(directory: TempDir) -> Result<Self> {
        let members = LocalEtcd::start(directory.path(), MEMBERS);
        let members = members.context("start an etcd; it comes in the package etcd-server")?;
        let setup =
            EtcdSetup { endpoints: members.endpoints(), tls: None, cluster: CLUSTER, lead: LEAD };
        let election = Election::start(setup.clone(), Some("bench".to_owned()))?;
        let lead = lead(&election)?;
        Ok(Self { setup, lead, _election: election, _members: members, _directory: directory })
    }

    /// The journal, as whoever is elected has it.
    pub(super) fn open(&self) -> Result<(u64, Durable)> {
        let store = Box::new(Etcd::open(self.setup.clone(), self.lead.epoch)?);
        Ok((self.lead.epoch, Durable { store, until: Some(self.lead.until.clone()) }))
    }
}

fn lead(election: &Election) -> Result<Lead> {
    let until = Instant::now() + ELECTED;
    let leads = election.leads();
    loop {
        let why = match &*leads.borrow() {
            Leads::Here(lead) => return Ok(lead.clone()),
            Leads::There { name } => format!("{name} is elected"),
            Leads::Nobody { why } => why.clone(),
        };
        if Instant::now() > until {
            bail!("not elected: {why}");
        }
        std::thread::sleep(LOOK);
    }
}
