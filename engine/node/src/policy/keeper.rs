//! Keeps the managed directories of one physical file system below their marks.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dray_client::{Client, Options, Pushed};
use dray_fs::LinuxFiles;
use dray_io::Files;
use dray_wire::messages::{Item, KIND_FILE, Outcome};
use dray_wire::{Message, Name, Reason, SessionId};
use tokio::sync::{mpsc, watch};

use super::board::Board;
use super::charge::{Aim, Charge};
use super::decide::{Candidate, Usage};
use super::limits::{AGAIN, BATCH, LOOK, RESCAN, STEP, WARN};
use super::scan::Found;
use crate::leader::{Way, Who};
use crate::places::to_wire;
use crate::service::session_info;

pub(super) struct Keeper {
    pub(super) files: LinuxFiles,
    pub(super) charges: Vec<Charge>,
    pub(super) haste: Arc<AtomicBool>,
    pub(super) scan: std::sync::mpsc::Sender<usize>,
    pub(super) found: mpsc::Receiver<Found>,
    pub(super) scanning: bool,
    /// Nothing is asked for before.
    pub(super) patience: Option<Instant>,
    /// When which warning was last given.
    pub(super) warned: HashMap<&'static str, Instant>,
    pub(super) board: Arc<Board>,
}

impl Keeper {
    /// Until it is told to stop. Only beside the coordinator: of several nodes that reach a file
    /// system one is to see to it, and that one goes on where another did.
    pub(super) async fn run(mut self, way: Way, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.keep(&way) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn keep(&mut self, way: &Way) {
        way.here().await;
        let Ok((client, pushed, who)) = way.connect(&Options::client("policy")).await else {
            return;
        };
        if !matches!(who, Who::Here(_)) {
            return;
        }
        let kept = tokio::select! {
            kept = self.serve(&client, pushed) => kept,
            () = way.replaced(&who) => Ok(()),
        };
        if let Err(error) = kept {
            tracing::debug!(%error, "space management has to connect again");
        }
        // Whatever was under way goes on, and is found by the next scan.
        self.charges.iter_mut().for_each(Charge::forget_open);
    }

    async fn serve(&mut self, client: &Client, mut pushed: Pushed) -> dray_client::Result<()> {
        let mut looked = Instant::now();
        let mut news = true;
        loop {
            let pause = if news { STEP } else { LOOK };
            tokio::select! {
                message = pushed.recv() => {
                    let Some(message) = message else { return Err(dray_client::Error::Closed) };
                    news |= self.heard(message);
                }
                found = self.found.recv() => {
                    let Some(found) = found else { return Err(dray_client::Error::Closed) };
                    news |= self.take(found);
                }
                () = tokio::time::sleep_until((looked + pause).into()) => {
                    news = false;
                    looked = Instant::now();
                    self.step(client).await?;
                }
            }
        }
    }

    /// Whether it may be that more can be done now.
    fn heard(&mut self, message: Message) -> bool {
        let Message::Outcomes(outcomes) = message else { return false };
        let now = self.files.now();
        for outcome in outcomes.outcomes.0 {
            let heard = self.charges.iter_mut().find_map(|charge| charge.hear(&outcome, now));
            if let Some(Err(candidate)) = heard {
                self.refused(&candidate, &outcome);
            }
        }
        true
    }

    /// What is in use, or has changed, comes again; of the rest somebody should know.
    fn refused(&mut self, candidate: &Candidate, outcome: &Outcome) {
        let path = candidate.path.display();
        let (reason, text) = (outcome.reason, outcome.text.as_str());
        if reason != Reason::LATER && self.may_warn("refused") {
            tracing::warn!(%path, %reason, "space management: {text}");
        } else {
            tracing::debug!(%path, %reason, "space management: {text}");
        }
    }

    fn may_warn(&mut self, kind: &'static str) -> bool {
        let may = self.warned.get(kind).is_none_or(|last| last.elapsed() >= WARN);
        if may {
            self.warned.insert(kind, Instant::now());
        }
        may
    }

    fn take(&mut self, found: Found) -> bool {
        match found {
            Found::Some { area, candidates } => {
                let some = !candidates.is_empty();
                let now = self.files.now();
                self.charges[area].found(candidates, now);
                some
            }
            Found::End { area, took } => {
                self.charges[area].scan_ended(took);
                self.scanning = false;
                true
            }
        }
    }

    async fn step(&mut self, client: &Client) -> dray_client::Result<()> {
        for index in 0..self.charges.len() {
            let charge = &self.charges[index];
            let usage = match Usage::of(&charge.area.directory) {
                Ok(usage) => usage,
                Err(error) => {
                    let path = charge.area.directory.display().to_string();
                    if self.may_warn("usage") {
                        tracing::warn!(path, %error, "cannot tell how full it is");
                    }
                    continue;
                }
            };
            if self.patience.is_none_or(|until| Instant::now() >= until) {
                self.act(client, index, usage).await?;
            }
            let charge = &self.charges[index];
            self.board.set(&charge.area.directory, charge.standings());
        }
        let short = self.charges.iter().any(Charge::is_short);
        self.haste.store(short, Ordering::Relaxed);
        let next = self.charges.iter().position(|charge| charge.needs_scan(RESCAN));
        if let (false, Some(next)) = (self.scanning, next) {
            // It listens as long as it is listened to.
            self.scanning = self.scan.send(next).is_ok();
        }
        Ok(())
    }

    async fn act(
        &mut self,
        client: &Client,
        index: usize,
        usage: Usage,
    ) -> dray_client::Result<()> {
        let coming = self.charges.iter().map(Charge::coming).sum();
        let charge = &mut self.charges[index];
        let Some(session) = session_of(client, charge).await? else { return Ok(()) };
        let was_short = charge.is_short();
        let plan = charge.plan(&self.files, usage, coming);
        let (short, path) = (charge.is_short(), charge.area.directory.display().to_string());
        let used = usage.percent();
        if short != was_short {
            tracing::info!(path, used, short, "space management");
        }
        let nothing = plan.archive.is_empty() && plan.release.is_empty();
        let idle = charge.standings().under_way == 0 && nothing && plan.lacking > 0;
        if idle && self.may_warn("nothing") {
            tracing::warn!(path, used, "space is short, and no file may go yet");
        }
        let lots =
            [(Aim::Release, plan.release), (Aim::Room, plan.archive), (Aim::Ahead, plan.ahead)];
        for (aim, mut lot) in lots {
            while !lot.is_empty() {
                let rest = lot.split_off(lot.len().min(BATCH));
                self.ask(client, (index, session), aim, lot).await?;
                lot = rest;
            }
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        client: &Client,
        (index, session): (usize, SessionId),
        aim: Aim,
        lot: Vec<Candidate>,
    ) -> dray_client::Result<()> {
        let (class, verb) = aim.ask();
        let items = lot.iter().map(item_of).collect();
        let submitted = client.submit(session, class, verb, items).await;
        let charge = &mut self.charges[index];
        match submitted {
            Ok(requests) => {
                for (request, candidate) in requests.into_iter().zip(lot) {
                    charge.asked(request, aim, candidate);
                }
                Ok(())
            }
            Err(error) if error.is_of_connection() => Err(error),
            Err(error) => {
                charge.put_back(lot, self.files.now());
                if error.reason() == Some(Reason::NO_SESSION) {
                    charge.session = None;
                }
                let pause: Duration = error.retry_after().unwrap_or(AGAIN);
                self.patience = Some(Instant::now() + pause);
                tracing::debug!(%error, "space management has to wait");
                Ok(())
            }
        }
    }
}

/// That of the managed file system, which the service makes.
async fn session_of(
    client: &Client,
    charge: &mut Charge,
) -> dray_client::Result<Option<SessionId>> {
    if charge.session.is_none() {
        let info = session_info(&charge.area.name);
        charge.session = client.find_session(SessionId::NONE, info.as_bytes()).await?;
    }
    Ok(charge.session)
}

fn item_of(candidate: &Candidate) -> Item {
    // A longer name could not have been opened.
    let name = Name::new(candidate.path.as_os_str().as_bytes()).unwrap_or_default();
    let (handle, size) = (to_wire(candidate.handle), candidate.size);
    Item { handle, size, kind: KIND_FILE, name, ..Item::default() }
}
