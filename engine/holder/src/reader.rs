//! Threads that read a group's events.
//!
//! To read an event the kernel opens the file, which waits for the end of a lease on it: that of a
//! release, if the file is being cut by its name. So the thread that reads is relieved when that
//! takes long, and nobody else waits for it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use dray_fs::watch::{Access, Group};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::caller::{Doing, doing};
use crate::crowd::give;
use crate::decide::{Verdict, decide};
use crate::limits::{LOOK, LOOKS, READ, READERS, UNREADABLE};

/// What readers have for the keeper.
pub(crate) enum Seen {
    /// Somebody has to see to this first.
    Away(Access),
    /// This is to be given with other answers.
    Answer(Access, Result<(), Errno>),
    /// Events cannot be read any more.
    Failed(io::Error),
}

/// The readers of all groups, as the keeper sees them.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    seen: Receiver<(usize, Seen)>,
}

struct Shared {
    /// Threads that are let through: they access so that silent descriptors are made.
    touchers: BTreeSet<i32>,
    /// Processes that are connected.
    ours: Mutex<Vec<i32>>,
    /// So many wait that answers are held back.
    crowded: AtomicBool,
    tell: Sender<(usize, Seen)>,
    bell: OwnedFd,
}

impl Shared {
    /// Whether a thread is of a process that is connected.
    fn is_ours(&self, thread: i32) -> bool {
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.iter().any(|own| Path::new(&format!("/proc/{own}/task/{thread}")).exists())
    }
}

impl Readers {
    pub(crate) fn new(touchers: BTreeSet<i32>) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (tell, seen) = channel();
        let (ours, crowded) = (Mutex::default(), AtomicBool::new(false));
        let shared = Shared { touchers, ours, crowded, tell, bell };
        Ok(Self { shared: Arc::new(shared), seen })
    }

    /// Has this group read from now on.
    pub(crate) fn read(&self, index: usize, group: Arc<Group>) -> io::Result<()> {
        let flags = TimerfdFlags::CLOEXEC;
        let watch = Arc::new(Watch {
            index,
            group,
            shared: Arc::clone(&self.shared),
            turn: Mutex::new(0),
            alarm: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            spare: AtomicUsize::new(0),
            threads: AtomicUsize::new(1),
        });
        watch.enlist()?;
        thread::Builder::new().name("reader".to_owned()).spawn(move || watch.serve())?;
        Ok(())
    }

    /// These processes are connected, each as often as it is listed.
    pub(crate) fn connected(&self, processes: Vec<i32>) {
        *self.shared.ours.lock().unwrap_or_else(PoisonError::into_inner) = processes;
    }

    pub(crate) fn crowded(&self, is: bool) {
        self.shared.crowded.store(is, Ordering::Relaxed);
    }

    /// Readable when something has been seen.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }

    /// What has been seen, with the group's index.
    pub(crate) fn seen(&self) -> Vec<(usize, Seen)> {
        // Nothing to read: nothing has been seen since.
        let _ = rustix::io::read(&self.shared.bell, &mut [0; 8]);
        self.seen.try_iter().collect()
    }
}

/// The watch over one group: one thread has the turn, the others relieve it.
struct Watch {
    index: usize,
    group: Arc<Group>,
    shared: Arc<Shared>,
    /// Counts the turns; the last one is the one that reads.
    turn: Mutex<u64>,
    /// Rings when a read takes long. Only the thread that has the turn sets it, under its lock.
    alarm: OwnedFd,
    /// Threads that wait for the alarm.
    spare: AtomicUsize,
    threads: AtomicUsize,
}

/// Reads what has come. Where the kernel cannot open a file for us, it has refused that access, and
/// there may be others: to give up would let all who wait go on, to zeros.
pub(crate) fn read(group: &Group, accesses: &mut Vec<Access>) {
    if let Err(error) = group.read(accesses) {
        tracing::error!(%error, "an access is refused, as its file cannot be opened");
        thread::sleep(UNREADABLE);
    }
}

/// What the thread does that accesses; if it cannot be told, whoever serves finds out.
fn seen_doing(access: &Access) -> Option<Doing> {
    let looks = (0..LOOKS).map(|look| {
        if look > 0 {
            thread::sleep(LOOK);
        }
        doing(access.thread, access.opens)
    });
    looks.flatten().next()
}

impl Watch {
    fn turn(&self) -> MutexGuard<'_, u64> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that waits for the alarm.
    fn enlist(self: &Arc<Self>) -> io::Result<()> {
        let own = Arc::clone(self);
        self.threads.fetch_add(1, Ordering::Relaxed);
        let started = thread::Builder::new().name("reader".to_owned()).spawn(move || {
            if own.relieve() {
                own.serve();
            }
        });
        if started.is_err() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    /// Reads, whenever it has the turn.
    fn serve(self: Arc<Self>) {
        loop {
            let own = *self.turn();
            if let Err(error) = self.keep(own) {
                return self.tell(Seen::Failed(error));
            }
            if self.spare.load(Ordering::Relaxed) > 1 || !self.relieve() {
                self.threads.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Waits until whoever has the turn is held up, and takes it. Somebody else is to be there for
    /// the next time.
    fn relieve(self: &Arc<Self>) -> bool {
        self.spare.fetch_add(1, Ordering::Relaxed);
        let rung = loop {
            match rustix::io::read(&self.alarm, &mut [0; 8]) {
                Err(Errno::INTR) => {}
                result => break result,
            }
        };
        let left = self.spare.fetch_sub(1, Ordering::Relaxed) - 1;
        if let Err(errno) = rung {
            self.tell(Seen::Failed(errno.into()));
            return false;
        }
        *self.turn() += 1;
        let alone = left == 0 && self.threads.load(Ordering::Relaxed) < READERS;
        if alone && let Err(error) = self.enlist() {
            tracing::warn!(%error, "no further thread that reads events");
        }
        true
    }

    /// Reads until somebody else has the turn.
    fn keep(&self, own: u64) -> io::Result<()> {
        let mut accesses = Vec::new();
        while *self.turn() == own {
            match poll(&mut [PollFd::new(&*self.group, PollFlags::IN)], None) {
                Err(Errno::INTR) => continue,
                result => result.map(drop)?,
            }
            self.set_alarm(own, READ)?;
            read(&self.group, &mut accesses);
            self.set_alarm(own, Timespec::default())?;
            for access in accesses.drain(..) {
                self.accessed(access);
            }
        }
        Ok(())
    }

    /// Sets the alarm, or with nothing takes it back, if it is this turn's.
    fn set_alarm(&self, own: u64, after: Timespec) -> io::Result<()> {
        let turn = self.turn();
        if *turn != own {
            return Ok(());
        }
        let once = Itimerspec { it_interval: Timespec::default(), it_value: after };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Lets an access through, or leaves it to the keeper.
    fn accessed(&self, access: Access) {
        if self.shared.touchers.contains(&access.thread) {
            return self.answer(access, Ok(()));
        }
        match decide(&access) {
            Ok(Verdict::Resident) => {
                // At worst it is asked about again.
                let _ = self.group.ignore(&access.file);
                self.answer(access, Ok(()));
            }
            Ok(Verdict::Present) => self.answer(access, Ok(())),
            Ok(Verdict::Away) if !access.opens => self.tell(Seen::Away(access)),
            Ok(Verdict::Away | Verdict::PresentToRead) => match self.needs_nothing(&access) {
                true => self.answer(access, Ok(())),
                false => self.tell(Seen::Away(access)),
            },
            Err(error) => {
                tracing::error!(%error, "the state of an accessed file cannot be read");
                self.answer(access, Err(Errno::IO));
            }
        }
    }

    /// Whether it only opens the file, or reads what is there.
    fn needs_nothing(&self, access: &Access) -> bool {
        // Whoever serves opens files, too, and would wait for himself.
        if access.opens && self.shared.is_ours(access.thread) {
            return true;
        }
        let harmless = if access.opens { Doing::Opening } else { Doing::Reading };
        seen_doing(access) == Some(harmless)
    }

    fn answer(&self, access: Access, answer: Result<(), Errno>) {
        if self.shared.crowded.load(Ordering::Relaxed) {
            return self.tell(Seen::Answer(access, answer));
        }
        give(&self.group, &access, answer);
    }

    fn tell(&self, seen: Seen) {
        // The keeper ends with the process only.
        let _ = self.shared.tell.send((self.index, seen));
        let _ = rustix::io::write(&self.shared.bell, &1_u64.to_le_bytes());
    }
}
