//! The data path: requests complete late, in any order, and not always whole.

use std::io;
use std::path::Path;
use std::sync::Arc;

use dray_io::{Aligned, Completion, Fixed, Operation, Range, Ring, RingCounters, Slot};

use crate::handle::SimFile;
use crate::sim::{Intent, Sim};
use crate::state::{Open, State};
use crate::transfer::{check_direct, read, write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    Reading,
    Writing,
}

#[derive(Debug, Clone)]
struct Attached {
    handle: u64,
    open: Open,
    path: Arc<Path>,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    file: Fixed,
    write: bool,
    at: u64,
    slot: Slot,
    from: u32,
    len: u32,
    /// Submitted to a machine without power: no part of it reaches the disk.
    lost: bool,
}

/// A simulated ring. Panics where its user breaks the contract of [`Ring`].
pub struct SimRing {
    sim: Sim,
    boot: u64,
    slots: Vec<(Aligned, Use)>,
    slot_bytes: u32,
    files: Vec<Option<Attached>>,
    queued: Vec<Request>,
    under_way: Vec<Request>,
    counters: RingCounters,
}

impl SimRing {
    pub(crate) fn new(sim: &Sim) -> io::Result<Self> {
        let path = Path::new("");
        let intent =
            Intent { operation: Operation::Register, path, id: None, range: None, ring: false };
        let (state, verdict) = sim.begin(intent);
        verdict?;
        let (slots, slot_bytes) = (state.options.slots, state.options.slot_bytes);
        // Memory that has been used before: whoever wants zeros has to write them.
        let mut memory = Aligned::new(slot_bytes as usize);
        memory.fill(0xa5);
        Ok(Self {
            sim: sim.clone(),
            boot: state.boot,
            slots: vec![(memory, Use::Free); slots as usize],
            slot_bytes,
            files: Vec::new(),
            queued: Vec::new(),
            under_way: Vec::new(),
            counters: RingCounters::default(),
        })
    }

    fn queue(&mut self, request: Request) {
        let Request { file, slot, from, len, .. } = request;
        assert!(self.attached(file).is_some(), "{file:?} is not attached");
        assert!(len > 0, "an empty request on {slot:?}");
        let end = from.checked_add(len);
        assert!(end.is_some_and(|end| end <= self.slot_bytes), "{slot:?} ends before {from}+{len}");
        let state = &mut self.slots[slot.0 as usize].1;
        assert_eq!(*state, Use::Free, "{slot:?} has a request under way");
        *state = if request.write { Use::Writing } else { Use::Reading };
        self.queued.push(request);
    }

    fn attached(&self, file: Fixed) -> Option<&Attached> {
        self.files.get(file.0 as usize).and_then(Option::as_ref)
    }

    fn enter(&mut self) {
        if !self.queued.is_empty() {
            self.counters.enters += 1;
            let lost = self.sim.check(&self.sim.state(), self.boot).is_err() || self.sim.crashed();
            self.queued.iter_mut().for_each(|request| request.lost = lost);
            self.under_way.append(&mut self.queued);
        }
    }

    fn complete(&mut self, request: Request) -> Completion {
        let Request { file, at, slot, from, len, .. } = request;
        let Attached { handle, open, path } =
            self.attached(file).expect("a file stays attached while it is used").clone();
        let range = Some(Range::new(at, at + u64::from(len)));
        let operation = if request.write { Operation::Write } else { Operation::Read };
        let sim = self.sim.clone();
        let (mut state, verdict) =
            sim.begin(Intent { operation, path: &path, id: Some(open.id), range, ring: true });
        let result = sim.check(&state, self.boot).and_then(|()| {
            let closed = !state.handles.contains_key(&handle);
            assert!(!closed, "{} was closed with a request under way", path.display());
            self.transfer(&mut state, verdict, open, request)
        });
        drop(state);
        self.slots[slot.0 as usize].1 = Use::Free;
        if request.write {
            self.counters.writes += 1;
        } else {
            self.counters.reads += 1;
        }
        if result.as_ref().map_or(true, |done| *done < len) {
            self.counters.retries += 1;
        }
        if result.is_err() && !request.write {
            // What a failed read leaves is not data.
            self.slots[slot.0 as usize].0[from as usize..][..len as usize].fill(0xee);
        }
        Completion { slot, result }
    }

    fn transfer(
        &mut self,
        state: &mut State,
        verdict: io::Result<()>,
        open: Open,
        request: Request,
    ) -> io::Result<u32> {
        let Request { at, slot, from, len, .. } = request;
        let memory = &mut self.slots[slot.0 as usize].0[from as usize..][..len as usize];
        // Judged by what was asked; how much of it is moved is the device's affair.
        check_direct(state, open, at, memory)?;
        if !request.write {
            verdict?;
            let moved = short(state, len);
            return read(state, open, &mut memory[..moved], at).map(|bytes| bytes as u32);
        }
        if request.lost {
            return verdict.map(|()| 0);
        }
        let moved = if verdict.is_ok() { short(state, len) } else { len as usize };
        write(state, verdict, open, &memory[..moved], at).map(|()| moved as u32)
    }
}

/// How much of `len` bytes the device moves.
fn short(state: &mut State, len: u32) -> usize {
    let unit = state.options.short_unit;
    let units = u64::from(len).div_ceil(unit);
    let whole = units < 2 || !state.random.percent(state.plan.faults.short_percent);
    if whole { len as usize } else { ((1 + state.random.below(units - 1)) * unit) as usize }
}

impl Ring for SimRing {
    type File = SimFile;

    fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    fn slot_bytes(&self) -> u32 {
        self.slot_bytes
    }

    fn attach(&mut self, file: &SimFile) -> io::Result<Fixed> {
        let SimFile { handle, open, .. } = *file;
        let (operation, path) = (Operation::Register, &file.path);
        let intent = Intent { operation, path, id: Some(open.id), range: None, ring: false };
        let (state, verdict) = self.sim.begin(intent);
        verdict?;
        self.sim.check(&state, file.boot)?;
        self.sim.check(&state, self.boot)?;
        let free = self.files.iter().position(Option::is_none).unwrap_or_else(|| {
            self.files.push(None);
            self.files.len() - 1
        });
        self.files[free] = Some(Attached { handle, open, path: Arc::clone(path) });
        Ok(Fixed(free as u32))
    }

    fn detach(&mut self, file: Fixed) {
        let mut requests = self.queued.iter().chain(&self.under_way);
        assert!(requests.all(|request| request.file != file), "{file:?} has a request under way");
        let attached = self.files.get_mut(file.0 as usize).and_then(Option::take);
        let attached = attached.expect("only an attached file is detached");
        let state = self.sim.state();
        let gone = self.sim.check(&state, self.boot).is_err();
        assert!(
            gone || state.handles.contains_key(&attached.handle),
            "{} was closed before it was detached",
            attached.path.display()
        );
    }

    fn read(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        self.queue(Request { file, write: false, at, slot, from, len, lost: false });
    }

    fn write(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        self.queue(Request { file, write: true, at, slot, from, len, lost: false });
    }

    fn submit(&mut self) -> io::Result<()> {
        self.enter();
        Ok(())
    }

    /// After a crash all requests complete with its error, so that their user can end in order.
    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        self.enter();
        let waiting = self.under_way.len() as u64;
        if waiting == 0 {
            return Ok(());
        }
        let prompt = self.sim.state().options.prompt_writes;
        let urgent = |request: &Request| prompt && request.write;
        let writes = self.under_way.iter().filter(|request| urgent(request)).count();
        let count = (1 + self.sim.state().random.below(waiting)).max(writes as u64);
        for _ in 0..count {
            let left = self.under_way.len() as u64;
            let first = self.under_way.iter().position(urgent);
            let chosen = first.unwrap_or_else(|| self.sim.state().random.below(left) as usize);
            let request = self.under_way[chosen];
            let completion = self.complete(request);
            self.under_way.swap_remove(chosen);
            done.push(completion);
        }
        Ok(())
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        let (memory, used) = &self.slots[slot.0 as usize];
        assert_ne!(*used, Use::Reading, "{slot:?} is being read into");
        &memory[..self.slot_bytes as usize]
    }

    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        let (memory, used) = &mut self.slots[slot.0 as usize];
        assert_eq!(*used, Use::Free, "{slot:?} has a request under way");
        &mut memory[..self.slot_bytes as usize]
    }

    fn counters(&self) -> RingCounters {
        self.counters
    }
}

impl Drop for SimRing {
    fn drop(&mut self) {
        let idle = self.queued.is_empty() && self.under_way.is_empty();
        assert!(idle || std::thread::panicking(), "a ring was closed with requests under way");
    }
}
