//! Pinned cores with rings, and hands.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dray_fs::{LinuxFile, LinuxFiles, raise_open_files};
use dray_holder::Link;
use dray_io::World;
use dray_io::limits::HANDS;
use dray_ring::{CoreRing, RingSetup, WorkerRuns, worker_runs};

/// How the engine uses this machine.
#[derive(Debug, Clone, Default)]
pub struct MachineOptions {
    /// Cores that move data; zero for all but one, so that one is left for everything else.
    pub cores: usize,
    /// Threads for blocking calls; zero for the usual number.
    pub hands: usize,
    pub ring: RingSetup,
    /// Socket of the holder of the watch over managed file systems.
    pub holder: Option<PathBuf>,
}

/// This machine.
pub struct Machine {
    files: LinuxFiles,
    /// CPU ids to pin to, of those that this process may use.
    cores: Vec<usize>,
    hands: usize,
    ring: RingSetup,
    watched: bool,
    began: Instant,
    notice: Mutex<Option<String>>,
    punted: Mutex<WorkerRuns>,
}

impl Machine {
    pub fn new(options: &MachineOptions) -> Self {
        // Not getting more only means smaller batches of open files.
        let _ = raise_open_files();
        let mut cores = affinity::get_thread_affinity().unwrap_or_default();
        if cores.is_empty() {
            cores.push(0);
        }
        let wanted = match options.cores {
            0 => cores.len().saturating_sub(1).max(1),
            cores => cores,
        };
        let mut files = LinuxFiles::new();
        if let Some(socket) = &options.holder {
            files = files.watched_by(Arc::new(Link::new(socket)));
        }
        // The last ones: the first CPU serves most interrupts.
        cores.drain(..cores.len().saturating_sub(wanted));
        Self {
            files,
            cores,
            hands: if options.hands == 0 { HANDS } else { options.hands },
            ring: options.ring,
            watched: options.holder.is_some(),
            began: Instant::now(),
            notice: Mutex::default(),
            punted: Mutex::default(),
        }
    }

    /// Whether programs may come to wait for data of files that are released.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched
    }

    /// What the user should know about how data is moved, if it is not the best way.
    pub fn notice(&self) -> Option<String> {
        self.notice.lock().ok()?.clone()
    }

    /// Runs of io_uring worker threads, as an upper bound of requests that were punted to them.
    pub fn punted(&self) -> WorkerRuns {
        self.punted.lock().map(|runs| *runs).unwrap_or_default()
    }

    fn pin(&self, index: usize) {
        // Unpinned is slower, not wrong.
        let _ = affinity::set_thread_affinity([self.cores[index]]);
    }

    /// Makes the ring of a core and runs the job on it.
    fn core(
        &self,
        index: usize,
        job: &(dyn Fn(usize, &mut CoreRing<LinuxFile>) + Sync),
    ) -> io::Result<()> {
        self.pin(index);
        let (mut ring, notice) = CoreRing::new(&self.ring)?;
        if let (Some(notice), Ok(mut known)) = (notice, self.notice.lock()) {
            known.get_or_insert(notice);
        }
        job(index, &mut ring);
        if let Ok(mut punted) = self.punted.lock() {
            // Workers stay for some seconds, so their counts include earlier calls.
            let now = worker_runs();
            punted.threads = punted.threads.max(now.threads);
            punted.runs = punted.runs.max(now.runs);
        }
        Ok(())
    }
}

impl World for Machine {
    type File = LinuxFile;
    type Files = LinuxFiles;
    type Ring = CoreRing<LinuxFile>;

    fn files(&self) -> &LinuxFiles {
        &self.files
    }

    fn ticks(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn hand_count(&self) -> usize {
        self.hands
    }

    fn core_count(&self) -> usize {
        self.cores.len()
    }

    fn hands(&self, job: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for index in 1..self.hands {
                scope.spawn(move || job(index));
            }
            job(0);
        });
    }

    fn cores(&self, job: &(dyn Fn(usize, &mut CoreRing<LinuxFile>) + Sync)) -> io::Result<()> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.cores.len())
                .map(|index| scope.spawn(move || self.core(index, job)))
                .collect();
            let mut outcome = Ok(());
            let mut worked = false;
            for thread in threads {
                match thread.join() {
                    Ok(Ok(())) => worked = true,
                    Ok(Err(error)) => outcome = Err(error),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            // One core that works moves everything.
            if worked { Ok(()) } else { outcome }
        })
    }

    fn beside(&self, main: &mut dyn FnMut(), side: &mut (dyn FnMut() + Send)) {
        beside(main, side);
    }
}

fn beside(main: &mut dyn FnMut(), side: &mut (dyn FnMut() + Send)) {
    std::thread::scope(|scope| {
        scope.spawn(side);
        main();
    });
}

thread_local! {
    /// The ring of a thread that is a core for longer than one job: a ring belongs to the thread
    /// that made it, and its memory is dear.
    static RING: RefCell<Option<CoreRing<LinuxFile>>> = const { RefCell::new(None) };
}

/// One core of a machine: the thread that calls. Its ring is kept from job to job.
pub(crate) struct OneCore<'a> {
    machine: &'a Machine,
    index: usize,
}

impl<'a> OneCore<'a> {
    /// Pins the calling thread.
    pub(crate) fn new(machine: &'a Machine, index: usize) -> Self {
        machine.pin(index);
        Self::somewhere(machine, index)
    }

    /// The calling thread, wherever it runs.
    pub(crate) fn somewhere(machine: &'a Machine, index: usize) -> Self {
        Self { machine, index }
    }
}

impl World for OneCore<'_> {
    type File = LinuxFile;
    type Files = LinuxFiles;
    type Ring = CoreRing<LinuxFile>;

    fn files(&self) -> &LinuxFiles {
        &self.machine.files
    }

    fn ticks(&self) -> u64 {
        self.machine.ticks()
    }

    fn hand_count(&self) -> usize {
        1
    }

    fn core_count(&self) -> usize {
        1
    }

    fn hands(&self, job: &(dyn Fn(usize) + Sync)) {
        job(0);
    }

    fn cores(&self, job: &(dyn Fn(usize, &mut CoreRing<LinuxFile>) + Sync)) -> io::Result<()> {
        RING.with_borrow_mut(|kept| {
            if kept.is_none() {
                let (ring, notice) = CoreRing::new(&self.machine.ring)?;
                if let (Some(notice), Ok(mut known)) = (notice, self.machine.notice.lock()) {
                    known.get_or_insert(notice);
                }
                *kept = Some(ring);
            }
            let ring = kept.as_mut().expect("made above");
            job(self.index, ring);
            Ok(())
        })
    }

    fn beside(&self, main: &mut dyn FnMut(), side: &mut (dyn FnMut() + Send)) {
        beside(main, side);
    }
}
