//! Threads that access files so that the kernel makes silent descriptors of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};

use crate::limits::TOUCHERS;

/// What a thread does to a file.
#[derive(Debug)]
pub(crate) enum Job {
    Touch(Arc<OwnedFd>),
    /// Cuts or grows it to so many bytes, which is asked about by any descriptor.
    Cut(Arc<OwnedFd>, u64),
}

impl Job {
    fn run(self) -> io::Result<()> {
        match self {
            // Reading nothing asks, too.
            Self::Touch(file) => drop(rustix::io::pread(&*file, &mut [0_u8; 0][..], 0)?),
            Self::Cut(file, size) => rustix::fs::ftruncate(&*file, size)?,
        }
        Ok(())
    }
}

/// An access that has ended: by which thread, and how.
type Ended = (i32, io::Result<()>);

/// Whoever accesses a watched file waits for the answer, so it cannot be the one who answers.
#[derive(Debug)]
pub(crate) struct Touchers {
    /// By thread, by which their accesses are told from those of others.
    threads: BTreeMap<i32, Sender<Job>>,
    idle: Vec<i32>,
    ended: Receiver<Ended>,
    bell: Arc<OwnedFd>,
}

impl Touchers {
    pub(crate) fn start() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags)?);
        let (done, ended) = channel();
        let mut threads = BTreeMap::new();
        for _ in 0..TOUCHERS {
            let (hello, began) = channel();
            let (jobs, todo) = channel();
            let (done, bell) = (done.clone(), Arc::clone(&bell));
            let work = move || {
                let own = rustix::thread::gettid().as_raw_nonzero().get();
                if hello.send(own).is_ok() {
                    work(own, &todo, &done, &bell);
                }
            };
            std::thread::Builder::new().name("toucher".to_owned()).spawn(work)?;
            threads.insert(began.recv().map_err(io::Error::other)?, jobs);
        }
        let idle = threads.keys().copied().collect();
        Ok(Self { threads, idle, ended, bell })
    }

    /// These threads, as the kernel numbers them.
    pub(crate) fn threads(&self) -> BTreeSet<i32> {
        self.threads.keys().copied().collect()
    }

    /// A thread that touches nothing; it is idle again when its touch has ended.
    pub(crate) fn take_idle(&mut self) -> Option<i32> {
        self.idle.pop()
    }

    pub(crate) fn give_back(&mut self, thread: i32) {
        self.idle.push(thread);
    }

    /// Has this thread access a file.
    pub(crate) fn run(&self, thread: i32, job: Job) -> io::Result<()> {
        let jobs = self.threads.get(&thread).ok_or(io::ErrorKind::NotFound)?;
        jobs.send(job).map_err(|_| io::Error::other("a toucher has ended"))
    }

    /// Readable when a touch has ended.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Touches that have ended.
    pub(crate) fn ended(&mut self) -> Vec<Ended> {
        let mut count = [0; 8];
        // Nothing to read: nothing has ended since.
        let _ = rustix::io::read(&*self.bell, &mut count);
        self.ended.try_iter().collect()
    }
}

fn work(own: i32, todo: &Receiver<Job>, done: &Sender<Ended>, bell: &OwnedFd) {
    for job in todo {
        if done.send((own, job.run())).is_err() {
            return;
        }
        // It is read with the results.
        let _ = rustix::io::write(bell, &1_u64.to_le_bytes());
    }
}
