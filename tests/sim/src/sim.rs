//! The world: one machine, its disk, its clock, and the faults planned for it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_io::{Operation, Range, World};

use crate::errors::crashed;
use crate::faults::{Faults, Plan, Step};
use crate::handle::SimFile;
use crate::image::Id;
use crate::journal::Scope;
use crate::options::Options;
use crate::random::{Random, mix};
use crate::ring::SimRing;
use crate::state::State;
use crate::tree::Tree;

type Hook = Box<dyn FnOnce(&Sim) + Send>;
type Watcher = Box<dyn FnMut(&Sim, &Step) + Send>;
type Attendant = Arc<dyn Fn(&Sim, &Step) + Send + Sync>;

#[derive(Default)]
struct Hooks {
    at: Vec<(u64, Hook)>,
    watcher: Option<Watcher>,
    attendant: Option<Attendant>,
}

struct Shared {
    state: Mutex<State>,
    hooks: Mutex<Hooks>,
}

/// A simulated world, as one of its processes sees it. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
    /// 0 for whoever made the world.
    process: u32,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

/// What an operation is about to do, before it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intent<'path> {
    pub(crate) operation: Operation,
    pub(crate) path: &'path Path,
    pub(crate) id: Option<Id>,
    pub(crate) range: Option<Range>,
    pub(crate) ring: bool,
}

impl Sim {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Options::default())
    }

    pub fn with(seed: u64, options: Options) -> Self {
        Self::of(State::new(mix(seed), options))
    }

    fn of(state: State) -> Self {
        let shared = Shared { state: Mutex::new(state), hooks: Mutex::default() };
        Self { shared: Arc::new(shared), process: 0 }
    }

    /// A further process of the machine, which can be killed by itself.
    pub fn process(&self) -> Self {
        let process = self.state().start();
        Self { shared: Arc::clone(&self.shared), process }
    }

    /// Which process this is.
    pub fn number(&self) -> u32 {
        self.process
    }

    /// This process dies: what it holds is closed, and whatever it goes on to do fails.
    pub fn kill(&self) {
        self.state().kill(self.process);
    }

    pub(crate) fn check(&self, state: &State, boot: u64) -> io::Result<()> {
        if state.boot == boot && !state.is_dead(self.process) { Ok(()) } else { Err(crashed()) }
    }

    /// The tree by a back door: not counted, never failing by plan. Changes made through it are
    /// durable at once, as if their owner had synced them.
    pub fn tree(&self) -> Tree {
        Tree::new(self.clone())
    }

    /// Replaces the plan of faults; operations are counted anew from here.
    pub fn set_faults(&self, faults: Faults) {
        self.state().plan = Plan::new(faults);
    }

    /// Whether the plan has made an operation fail.
    pub fn fault_fired(&self) -> bool {
        self.state().plan.fired
    }

    /// Operations since the world was made.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The operations so far, to print in failures.
    pub fn trace(&self) -> Vec<Step> {
        self.state().trace.clone()
    }

    /// Runs `hook` before operation `number`, counted as [`operations`](Self::operations) counts.
    pub fn at_operation(&self, number: u64, hook: impl FnOnce(&Self) + Send + 'static) {
        self.hooks().at.push((number, Box::new(hook)));
    }

    /// Runs `watcher` before every operation, except those it makes itself.
    pub fn watch(&self, watcher: impl FnMut(&Self, &Step) + Send + 'static) {
        self.hooks().watcher = Some(Box::new(watcher));
    }

    pub fn unwatch(&self) {
        self.hooks().watcher = None;
    }

    /// As [`watch`](Self::watch), but operations that the hook makes itself are attended, too.
    pub fn attend(&self, attendant: impl Fn(&Self, &Step) + Send + Sync + 'static) {
        self.hooks().attendant = Some(Arc::new(attendant));
    }

    /// Whether writes on rings are done by the next wait after they were submitted, before reads.
    pub fn do_writes_first(&self, first: bool) {
        self.state().options.prompt_writes = first;
    }

    /// Lets time pass: each operation takes less than a microsecond otherwise.
    pub fn advance(&self, nanos: u64) {
        self.state().advance(nanos);
    }

    /// Ends all leases, as the kernel does some time after a newcomer came to wait.
    pub fn end_leases(&self) {
        self.state().end_leases();
    }

    /// Cuts the power: every operation fails until [`reboot`](Self::reboot).
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Cuts the power and starts the machine again with what a crash may have left. Handles,
    /// leases, locks, the plan of faults and the hooks are gone.
    pub fn reboot(&self) {
        *self.hooks() = Hooks::default();
        self.state().reboot();
    }

    /// All processes die but the machine stays up: nothing written is lost.
    pub fn restart(&self) {
        *self.hooks() = Hooks::default();
        self.state().restart();
    }

    /// The world after a crash now, chosen by `seed`, with a trace of its own. This one goes on.
    /// Cheap: many crashes can be looked at from each operation of one run.
    pub fn after_crash(&self, seed: u64) -> Self {
        let mut here = self.state();
        let trace = std::mem::take(&mut here.trace);
        let mut state = here.clone();
        here.trace = trace;
        drop(here);
        state.random = Random::new(mix(seed));
        state.reboot();
        Self::of(state)
    }

    /// Files whose content, metadata or names a crash now might take back.
    pub fn check_unsynced(&self) -> Vec<PathBuf> {
        let ids: Vec<Id> = self.state().journal.unsynced().collect();
        let mut paths = self.tree().paths_of(&ids);
        paths.sort();
        paths.dedup();
        paths
    }

    /// Counts an operation, runs what is hooked to it, and says whether it may go ahead.
    pub(crate) fn begin(&self, intent: Intent<'_>) -> (MutexGuard<'_, State>, io::Result<()>) {
        let mut state = self.state();
        if state.crashed || state.is_dead(self.process) {
            return (state, Err(crashed()));
        }
        state.operations += 1;
        let step = Step {
            number: state.operations,
            operation: intent.operation,
            path: intent.path.into(),
            range: intent.range,
            ring: intent.ring,
        };
        state.trace.push(step.clone());
        drop(state);
        self.run_hooks(&step);
        let mut state = self.state();
        if state.is_dead(self.process) {
            return (state, Err(crashed()));
        }
        let mut verdict = state.check_power();
        if verdict.is_ok() {
            verdict = state.plan.judge(&step);
        }
        match (&verdict, intent.operation) {
            (Ok(()), _) => {}
            (Err(error), _) if crate::is_crash(error) => state.crashed = true,
            (Err(_), Operation::Flush) => {
                state.journal.fail_flush(intent.id.map_or(Scope::Names, Scope::File));
            }
            (Err(_), Operation::FlushFileSystem) => state.journal.fail_flush(Scope::All),
            _ => {}
        }
        (state, verdict)
    }

    fn run_hooks(&self, step: &Step) {
        let mut hooks = self.hooks();
        let due: Vec<_> = hooks.at.extract_if(.., |(number, _)| *number <= step.number).collect();
        let watcher = hooks.watcher.take();
        let attendant = hooks.attendant.clone();
        drop(hooks);
        if let Some(attendant) = attendant {
            attendant(self, step);
        }
        for (_, hook) in due {
            hook(self);
        }
        if let Some(mut watcher) = watcher {
            watcher(self, step);
            self.hooks().watcher.get_or_insert(watcher);
        }
    }

    // A test that panicked tells more than the poison it left behind.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.shared.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World for Sim {
    type File = SimFile;
    type Files = Self;
    type Ring = SimRing;

    fn files(&self) -> &Self {
        self
    }

    fn hand_count(&self) -> usize {
        self.state().options.hands
    }

    fn core_count(&self) -> usize {
        self.state().options.cores
    }

    fn hands(&self, job: &(dyn Fn(usize) + Sync)) {
        (0..self.hand_count()).for_each(job);
    }

    fn cores(&self, job: &(dyn Fn(usize, &mut SimRing) + Sync)) -> io::Result<()> {
        let rings: io::Result<Vec<SimRing>> =
            (0..self.core_count()).map(|_| SimRing::new(self)).collect();
        for (core, ring) in rings?.iter_mut().enumerate() {
            job(core, ring);
        }
        Ok(())
    }
}
