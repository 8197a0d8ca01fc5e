//! Who leads: `docs/store.md`, *Who leads*.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use etcd_client::{Client, Compare, CompareOp, KeyValue, PutOptions, Txn, TxnOp, WatchOptions};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until, timeout};

use super::EtcdSetup;
use super::members::{Members, Pace};
use crate::error::{Error, Result};
use crate::limits::{ASK_AGAIN, ELECT_AGAIN, LOOK_AGAIN, RENEWALS, STAY_AWAY};

/// Who leads, as far as this process knows.
#[derive(Debug, Clone)]
pub enum Leads {
    /// Nobody, or that cannot be found out.
    Nobody { why: String },
    /// This process may.
    Here(Lead),
    /// Another, by its name.
    There { name: String },
}

/// The lead of this process.
#[derive(Debug, Clone)]
pub struct Lead {
    /// Larger than that of everybody before.
    pub epoch: u64,
    /// Until when nobody else can lead; it grows as the lead is prolonged.
    pub until: watch::Receiver<Instant>,
}

/// What whoever leads says to the election, of the lead of this epoch: it may be over already.
#[derive(Clone, Copy)]
enum Word {
    Lapse(u64),
    GiveBack(u64),
}

/// Takes part in the election, or watches it, in a thread of its own until this is dropped: what
/// keeps a lead must wait for nothing else.
#[derive(Debug)]
pub struct Election {
    leads: watch::Receiver<Leads>,
    words: Option<mpsc::UnboundedSender<Word>>,
    thread: Option<JoinHandle<()>>,
}

impl Election {
    /// With a name, as a candidate; else to know who leads.
    pub fn start(setup: EtcdSetup, candidate: Option<String>) -> Result<Self> {
        let (sender, leads) =
            watch::channel(Leads::Nobody { why: "the election has not begun".to_owned() });
        let (words, heard) = mpsc::unbounded_channel();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(Error::Runtime)?;
        let pace = Pace { again: setup.lead / ASK_AGAIN, patience: setup.lead * 3 / 4 };
        let members = runtime.block_on(Members::new(&setup, pace))?;
        let race = Race {
            setup,
            candidate,
            members,
            leads: sender,
            words: heard,
            away: Instant::now(),
            ours: None,
        };
        let thread = std::thread::Builder::new().name("election".to_owned());
        let thread = thread.spawn(move || runtime.block_on(race.run())).map_err(Error::Runtime)?;
        Ok(Self { leads, words: Some(words), thread: Some(thread) })
    }

    pub fn leads(&self) -> watch::Receiver<Leads> {
        self.leads.clone()
    }

    /// Prolongs the lead of this epoch no more. What was allowed under it stays so until it ends
    /// by itself.
    pub fn lapse(&self, epoch: u64) {
        self.say(Word::Lapse(epoch));
    }

    /// Gives back a lead under which nothing was allowed yet, and leaves it to the others for a
    /// while.
    pub fn give_back(&self, epoch: u64) {
        self.say(Word::GiveBack(epoch));
    }

    fn say(&self, word: Word) {
        if let Some(words) = &self.words {
            // If the thread has ended, nothing is prolonged.
            let _ = words.send(word);
        }
    }
}

impl Drop for Election {
    fn drop(&mut self) {
        self.words = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            let _ = thread.join();
        }
    }
}

/// A lease that this process has, and when it asked for it.
#[derive(Clone, Copy)]
struct Hold {
    lease: i64,
    asked: Instant,
}

struct Race {
    setup: EtcdSetup,
    candidate: Option<String>,
    members: Members,
    leads: watch::Sender<Leads>,
    words: mpsc::UnboundedReceiver<Word>,
    /// Until when it is left to others.
    away: Instant,
    /// What a candidature is held with whose outcome is not known.
    ours: Option<Hold>,
}

/// What is at the leader's key.
enum Seen {
    /// Somebody, with the revision from which on a change is news.
    Somebody {
        pair: KeyValue,
        revision: i64,
    },
    Nobody {
        revision: i64,
    },
}

impl Race {
    async fn run(mut self) {
        while !self.words.is_closed() {
            match self.turn().await {
                Ok(()) => {}
                Err(error) => {
                    self.nobody(&error.to_string(), error.advice());
                    self.pause(ELECT_AGAIN).await;
                }
            }
        }
    }

    /// Says that nobody leads, once for each reason.
    fn nobody(&self, why: &str, advice: &str) {
        let known = matches!(&*self.leads.borrow(), Leads::Nobody { why: old } if old == why);
        if !known {
            tracing::warn!("no coordinator: {why}; {advice}");
            self.leads.send_replace(Leads::Nobody { why: why.to_owned() });
        }
    }

    async fn turn(&mut self) -> Result<()> {
        match self.look().await? {
            Seen::Somebody { pair, revision } => {
                let ours = self.ours.take().filter(|hold| hold.lease == pair.lease());
                if let Some(hold) = ours {
                    self.lead(hold, pair.create_revision()).await;
                    return Ok(());
                }
                self.follow(&pair, revision).await;
            }
            Seen::Nobody { revision } => {
                let stays_away = Instant::now() < self.away;
                match self.candidate.clone() {
                    Some(name) if !stays_away => self.campaign(name).await?,
                    _ => {
                        self.nobody("nobody leads", "a candidate will");
                        self.change(revision).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<Seen> {
        let key = self.setup.leader_key();
        let asked = async |mut client: Client| client.get(key.clone(), None).await;
        let mut got = self.members.ask("ask", asked).await?;
        let revision = got.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok(match got.take_kvs().into_iter().next() {
            Some(pair) => Seen::Somebody { pair, revision },
            None => Seen::Nobody { revision },
        })
    }

    /// Puts this name where there is none.
    async fn campaign(&mut self, name: String) -> Result<()> {
        let asked = Instant::now();
        let seconds = self.seconds();
        let grant = async |mut client: Client| client.lease_grant(seconds, None).await;
        let lease = self.members.ask("get a lease of", grant).await?.id();
        self.ours = Some(Hold { lease, asked });
        let key = self.setup.leader_key();
        let put = async |mut client: Client| {
            let nobody = Compare::create_revision(key.clone(), CompareOp::Equal, 0);
            let options = PutOptions::new().with_lease(lease);
            let put = TxnOp::put(key.clone(), name.clone(), Some(options));
            client.txn(Txn::new().when([nobody]).and_then([put])).await
        };
        // Whether it was done shows at the next look, also where no answer came.
        self.members.ask("stand for election at", put).await.map(drop)
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.setup.lead.as_secs().max(1)).unwrap_or(i64::MAX)
    }

    /// Until when the lead surely lasts. Clocks may run at rates that differ by a tenth.
    fn until(&self, asked: Instant) -> Instant {
        asked + Duration::from_secs(self.seconds().unsigned_abs()) * 9 / 10
    }

    /// Leads for as long as that can be prolonged.
    async fn lead(&mut self, hold: Hold, created: i64) {
        let epoch = created.unsigned_abs();
        let (sender, until) = watch::channel(self.until(hold.asked));
        tracing::info!(epoch, "elected");
        self.leads.send_replace(Leads::Here(Lead { epoch, until }));
        let why = self.keep(hold, created, &sender).await;
        tracing::warn!(epoch, "leads no more: {why}");
        self.leads.send_replace(Leads::Nobody { why });
    }

    /// Comes back with the reason why it is prolonged no more.
    async fn keep(&mut self, hold: Hold, created: i64, until: &watch::Sender<Instant>) -> String {
        let every = self.setup.lead / RENEWALS;
        let mut next = hold.asked + every;
        loop {
            tokio::select! {
                () = sleep_until(next.into()) => {}
                word = self.words.recv() => match word {
                    Some(Word::Lapse(epoch) | Word::GiveBack(epoch))
                        if epoch != created.unsigned_abs() => continue,
                    Some(Word::GiveBack(_)) => return self.give_back(hold).await,
                    _ => return "this node has ended its coordinator".to_owned(),
                },
            }
            if Instant::now() >= *until.borrow() {
                return "it could not be prolonged in time".to_owned();
            }
            match self.renew(hold.lease, created).await {
                Ok(Some(asked)) => {
                    until.send_replace(self.until(asked));
                    next = asked + every;
                }
                Ok(None) => return "somebody has taken it away".to_owned(),
                Err(error) => {
                    tracing::warn!("the lead is not prolonged: {error}");
                    next = Instant::now() + ELECT_AGAIN;
                }
            }
        }
    }

    /// When it was asked for what has been prolonged; none if there is nothing to prolong.
    async fn renew(&mut self, lease: i64, created: i64) -> Result<Option<Instant>> {
        let key = self.setup.leader_key();
        let asked = async |mut client: Client| {
            let asked = Instant::now();
            match client.lease_keep_alive(lease).await {
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => return Ok(None),
                kept => drop(kept?),
            }
            // A member without the others would answer until now, and not here.
            let got = client.get(key.clone(), None).await?;
            let still = got.kvs().first().is_some_and(|pair| pair.create_revision() == created);
            Ok(still.then_some(asked))
        };
        self.members.ask("renew a lease of", asked).await
    }

    async fn give_back(&mut self, hold: Hold) -> String {
        self.away = Instant::now() + STAY_AWAY;
        let lease = hold.lease;
        let revoke = async |mut client: Client| client.lease_revoke(lease).await;
        if let Err(error) = self.members.ask("give a lease back to", revoke).await {
            tracing::warn!("{error}");
        }
        "this node gave it back".to_owned()
    }

    async fn follow(&mut self, pair: &KeyValue, revision: i64) {
        let name = String::from_utf8_lossy(pair.value()).into_owned();
        // What this process began to lead and does no more ends by itself.
        if self.candidate.as_ref() == Some(&name) {
            self.nobody("the lead of this node has to end", "another follows in seconds");
        } else {
            let known = matches!(&*self.leads.borrow(), Leads::There { name: old } if *old == name);
            if !known {
                tracing::info!(%name, "coordinator");
                self.leads.send_replace(Leads::There { name });
            }
        }
        self.change(revision).await;
    }

    /// Waits until somebody changes the leader's key after this revision, or for a while.
    async fn change(&mut self, revision: i64) {
        let mut client = self.members.last();
        let key = self.setup.leader_key();
        let changed = async {
            let options = WatchOptions::new().with_start_revision(revision + 1);
            let mut changes = client.watch(key, Some(options)).await.ok()?;
            loop {
                let change = changes.message().await.ok()??;
                if change.canceled() || !change.events().is_empty() {
                    return Some(());
                }
            }
        };
        let changed = timeout(LOOK_AGAIN, changed);
        let ended = tokio::select! {
            changed = changed => matches!(changed, Ok(None)),
            // The lead that it speaks of is over.
            _ = self.words.recv() => false,
        };
        if ended {
            self.pause(ELECT_AGAIN).await;
        }
    }

    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = sleep(length) => {}
            _ = self.words.recv() => {}
        }
    }
}
