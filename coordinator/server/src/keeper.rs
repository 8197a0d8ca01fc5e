//! The thread that keeps what the coordinator promises.
//!
//! One commit at a time: what is recorded meanwhile goes into the next, so that however many
//! promise something, a flush is shared by all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use dray_store::{Block, Store};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::{Error, Result};
use crate::limits::{STORE_AGAIN, STORE_LOOK};

/// Something to be kept, and something to be read.
#[derive(Debug, Default)]
pub(crate) struct Job {
    pub(crate) blocks: Vec<Block>,
    pub(crate) keep_from: u64,
    pub(crate) read: Option<u64>,
}

/// What has become of a job.
#[derive(Debug)]
pub(crate) enum News {
    /// It does not work, and is tried again.
    Fails(String),
    Done {
        /// The last block that was kept, if one was.
        kept: Option<u64>,
        /// What was to be read.
        block: Option<Vec<u8>>,
    },
    /// Another coordinator leads.
    Deposed,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: Option<Sender<Job>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(store: Box<dyn Store>) -> Result<(Self, UnboundedReceiver<News>)> {
        let (jobs, receiver) = channel();
        let (news, heard) = unbounded_channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || keep(store, &receiver, &news, &told));
        let thread = Some(thread.map_err(Error::Thread)?);
        Ok((Self { jobs: Some(jobs), stopping, thread }, heard))
    }

    pub(crate) fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // If the thread has ended, it has said why.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Keeper {
    /// What was given is kept, unless that does not work now.
    fn drop(&mut self) {
        self.jobs = None;
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            let _ = thread.join();
        }
    }
}

fn keep(
    mut store: Box<dyn Store>,
    jobs: &Receiver<Job>,
    news: &UnboundedSender<News>,
    stopping: &AtomicBool,
) {
    while let Ok(job) = jobs.recv() {
        let done = loop {
            match attempt(store.as_mut(), &job) {
                Ok(done) => break done,
                Err(error) if error.is_deposed() => {
                    tracing::warn!("{error}");
                    break News::Deposed;
                }
                Err(error) => {
                    tracing::error!("{error}; {}", error.advice());
                    // Whoever hears it may have gone.
                    let _ = news.send(News::Fails(error.to_string()));
                }
            }
            if !pause(stopping) {
                return;
            }
        };
        let _ = news.send(done);
    }
}

fn attempt(store: &mut dyn Store, job: &Job) -> dray_store::Result<News> {
    store.commit(&job.blocks, job.keep_from)?;
    let block = job.read.map(|number| store.read(number)).transpose()?;
    Ok(News::Done { kept: job.blocks.last().map(|block| block.number), block })
}

/// Waits before the next attempt; false if there is to be none.
fn pause(stopping: &AtomicBool) -> bool {
    let mut left = STORE_AGAIN;
    while !left.is_zero() && !stopping.load(Ordering::Relaxed) {
        let some = left.min(STORE_LOOK);
        std::thread::sleep(some);
        left -= some;
    }
    !stopping.load(Ordering::Relaxed)
}
