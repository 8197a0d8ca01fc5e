//! A node that coordinates while it is elected.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use dray_server::{Durable, Server};
use dray_store::limits::LEAD;
use dray_store::{Election, Etcd, EtcdSetup, EtcdTls, Lead, Leads};
use dray_wire::Epoch;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::config::StoreConfig;
use crate::daemon::DaemonError;
use crate::leader::Leader;
use crate::office::Office;
use crate::places::Places;
use crate::service;

/// The election, as this node sees it.
pub(crate) struct Elected {
    setup: EtcdSetup,
    election: Election,
    leader: watch::Sender<Leader>,
}

impl Elected {
    /// Takes part in it, if this node may coordinate; what is said of who does.
    pub(crate) fn start(office: &Office) -> Result<(Self, watch::Receiver<Leader>), DaemonError> {
        let setup = setup_of(&office.config.store, office.cluster.0)?;
        let candidate = office.address_of(&office.name).is_ok().then(|| office.name.clone());
        let election = Election::start(setup.clone(), candidate)?;
        let why = "it is not known yet who coordinates".to_owned();
        let (leader, heard) = watch::channel(Leader::Nobody { why });
        Ok((Self { setup, election, leader }, heard))
    }

    /// Goes on until it is dropped.
    pub(crate) async fn run(self, office: Arc<Office>, places: Places) {
        let mut leads = self.election.leads();
        loop {
            let now = leads.borrow_and_update().clone();
            match now {
                Leads::Nobody { why } => self.nobody(why),
                Leads::There { name } => match office.address_of(&name) {
                    Ok(address) => drop(self.leader.send_replace(Leader::There(address))),
                    Err(error) => self.nobody(error.to_string()),
                },
                Leads::Here(lead) => self.lead(&office, &places, lead).await,
            }
            if leads.changed().await.is_err() {
                return self.nobody("the election has ended: see the log".to_owned());
            }
        }
    }

    fn nobody(&self, why: String) {
        self.leader.send_replace(Leader::Nobody { why });
    }

    /// Coordinates for as long as this node leads.
    async fn lead(&self, office: &Arc<Office>, places: &Places, lead: Lead) {
        let epoch = lead.epoch;
        let (own, setup) = (Arc::clone(office), self.setup.clone());
        let begun = spawn_blocking(move || begin(&own, setup, lead)).await;
        let server = match begun {
            Ok(Ok(server)) => Arc::new(server),
            Ok(Err(error)) => {
                tracing::error!("cannot coordinate: {error}; {}", error.advice());
                return self.election.give_back(epoch);
            }
            Err(panic) => {
                tracing::error!("cannot coordinate: {panic}");
                return self.election.give_back(epoch);
            }
        };
        let mut over = server.over();
        let here = Leader::Here(Arc::clone(&server), Epoch(epoch));
        self.leader.send_replace(here);
        let served = tokio::spawn(service::serve(Arc::clone(&server), places.clone()));
        // An error: its thread has ended, and with it what it had promised to do.
        let _ = over.wait_for(|over| *over).await;
        tracing::warn!(epoch, "coordinates no more");
        self.election.lapse(epoch);
        self.nobody("the coordinator of this node has ended".to_owned());
        served.abort();
        // The next one may listen when this one is gone, which waits for its store.
        let _ = spawn_blocking(move || drop(server)).await;
    }
}

/// Starts the coordinator of this epoch, with what those before it promised.
fn begin(office: &Office, setup: EtcdSetup, lead: Lead) -> Result<Server, DaemonError> {
    let store = Etcd::open(setup, lead.epoch)?;
    let mut core = office.setup(Epoch(lead.epoch));
    // Leases of nodes were granted within the lead of whoever granted them, which is over; a tenth
    // is what their clocks may differ by.
    core.grace_ns = core.lease_ns / 10;
    let durable = Durable { store: Box::new(store), until: Some(lead.until) };
    let server = Server::start_durable(core, durable)?;
    office.open_door(&server)?;
    Ok(server)
}

fn setup_of(store: &StoreConfig, cluster: [u8; 16]) -> Result<EtcdSetup, DaemonError> {
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|cause| DaemonError::Path { path: path.clone(), cause })
    };
    let tls = match (&store.ca, &store.cert, &store.key) {
        (Some(ca), Some(cert), Some(key)) => {
            Some(EtcdTls { ca: read(ca)?, cert: read(cert)?, key: read(key)? })
        }
        _ => None,
    };
    Ok(EtcdSetup { endpoints: store.endpoints.clone(), tls, cluster, lead: LEAD })
}
