//! A thread that accesses files so that the kernel makes silent descriptors of them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};

/// Whoever accesses a watched file waits for the answer, so it cannot be the one who answers.
#[derive(Debug)]
pub(crate) struct Toucher {
    /// How its accesses are told from those of others.
    pub(crate) thread: i32,
    jobs: Sender<Arc<OwnedFd>>,
    ended: Receiver<io::Result<()>>,
    bell: Arc<OwnedFd>,
}

impl Toucher {
    pub(crate) fn start() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags)?);
        let (jobs, todo) = channel::<Arc<OwnedFd>>();
        let (done, ended) = channel();
        let (hello, began) = channel();
        let ring = Arc::clone(&bell);
        let work = move || {
            let own = rustix::thread::gettid().as_raw_nonzero().get();
            if hello.send(own).is_err() {
                return;
            }
            for file in todo {
                // Reading nothing asks, too.
                let read = rustix::io::pread(&*file, &mut [0_u8; 0][..], 0);
                drop(file);
                if done.send(read.map(drop).map_err(io::Error::from)).is_err() {
                    return;
                }
                // It is read with the results.
                let _ = rustix::io::write(&*ring, &1_u64.to_le_bytes());
            }
        };
        std::thread::Builder::new().name("toucher".to_owned()).spawn(work)?;
        let thread = began.recv().map_err(io::Error::other)?;
        Ok(Self { thread, jobs, ended, bell })
    }

    /// Has a file accessed; one at a time.
    pub(crate) fn touch(&self, file: Arc<OwnedFd>) -> io::Result<()> {
        self.jobs.send(file).map_err(|_| io::Error::other("the toucher has ended"))
    }

    /// Readable when a touch has ended.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// How the last touch ended, if it has.
    pub(crate) fn ended(&self) -> Option<io::Result<()>> {
        let mut count = [0; 8];
        // Nothing to read: nothing has ended since.
        let _ = rustix::io::read(&*self.bell, &mut count);
        self.ended.try_recv().ok()
    }
}
