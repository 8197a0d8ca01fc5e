//! The running machine: what its processes see, what they hold open, and its clock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use dray_io::limits::BLOCK;
use dray_io::{Access, Kind, Range, Time};

use crate::change::{Change, Times};
use crate::errors::{Errno, crashed};
use crate::faults::{Plan, Step};
use crate::image::{Id, Image, Inode, SECTOR, pieces};
use crate::journal::{Journal, Scope};
use crate::options::Options;
use crate::random::Random;

/// 2023-11-14, in seconds.
const EPOCH: i64 = 1_700_000_000;
const NANOS: u64 = 1_000_000_000;
/// Nanoseconds of a tick of the coarse clock: some twenty changes, as a busy kernel has them.
const TICK_NS: u64 = 10_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) id: Id,
    pub(crate) access: Access,
    pub(crate) process: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) random: Random,
    /// As the processes see it, page cache included.
    pub(crate) live: Image,
    pub(crate) journal: Journal,
    pub(crate) handles: BTreeMap<u64, Open>,
    /// By inode: the handle that holds it.
    pub(crate) leases: BTreeMap<Id, u64>,
    /// Leased files that somebody waits to open.
    pub(crate) awaited: BTreeSet<Id>,
    pub(crate) locks: BTreeMap<Id, u64>,
    pub(crate) plan: Plan,
    pub(crate) operations: u64,
    pub(crate) trace: Vec<Step>,
    pub(crate) crashed: bool,
    /// Grows with each reboot; a handle of an earlier boot is worth nothing.
    pub(crate) boot: u64,
    processes: u32,
    /// Processes that were killed.
    dead: BTreeSet<u32>,
    nanos: u64,
    handles_made: u64,
    ids_made: u64,
    stamps_made: u64,
    numbers_free: BTreeSet<u64>,
    number_next: u64,
}

impl State {
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let image = Image::new(time(0));
        Self {
            options,
            random: Random::new(seed),
            live: image.clone(),
            journal: Journal::new(image),
            handles: BTreeMap::new(),
            leases: BTreeMap::new(),
            awaited: BTreeSet::new(),
            locks: BTreeMap::new(),
            plan: Plan::default(),
            operations: 0,
            trace: Vec::new(),
            crashed: false,
            boot: 0,
            processes: 0,
            dead: BTreeSet::new(),
            nanos: 0,
            handles_made: 0,
            ids_made: 0,
            stamps_made: 0,
            numbers_free: BTreeSet::new(),
            number_next: 11,
        }
    }

    /// Cuts the power, if that was not done, and starts again from what the disk holds.
    pub(crate) fn reboot(&mut self) {
        let image = self.journal.survivors(&mut self.random);
        self.live = image.clone();
        self.journal = Journal::new(image);
        let used: BTreeSet<u64> = self.live.iter().map(|(_, inode)| inode.number).collect();
        self.numbers_free =
            (11..self.number_next).filter(|number| !used.contains(number)).collect();
        self.restart();
    }

    /// As if every process had been killed while the machine ran on.
    pub(crate) fn restart(&mut self) {
        self.handles.clear();
        self.end_leases();
        self.locks.clear();
        self.plan = Plan::default();
        self.crashed = false;
        self.boot += 1;
        let orphans: Vec<Id> =
            self.live.iter().filter(|(_, inode)| inode.links == 0).map(|(id, _)| id).collect();
        for id in orphans {
            self.forget_if_unused(id);
        }
    }

    pub(crate) fn start(&mut self) -> u32 {
        self.processes += 1;
        self.processes
    }

    pub(crate) fn is_dead(&self, process: u32) -> bool {
        self.dead.contains(&process)
    }

    pub(crate) fn kill(&mut self, process: u32) {
        self.dead.insert(process);
        let its = self.handles.iter().filter(|(_, open)| open.process == process);
        let its: Vec<u64> = its.map(|(handle, _)| *handle).collect();
        its.into_iter().for_each(|handle| self.close(handle));
    }

    pub(crate) fn end_leases(&mut self) {
        self.leases.clear();
        self.awaited.clear();
    }

    pub(crate) fn now(&self) -> Time {
        time(self.nanos)
    }

    /// The clock of ticks: some changes have happened since.
    pub(crate) fn now_coarse(&self) -> Time {
        time(self.nanos / TICK_NS * TICK_NS)
    }

    /// A time later than any before.
    pub(crate) fn tick(&mut self) -> Time {
        self.nanos += 1 + self.random.below(1000);
        self.now()
    }

    pub(crate) fn advance(&mut self, nanos: u64) {
        self.nanos += nanos;
    }

    /// Times of a change of content made through `access`.
    pub(crate) fn times(&mut self, access: Access) -> Times {
        let now = self.tick();
        let still = access == Access::Invisible && self.options.invisible_times;
        let time = (!still).then_some(now);
        Times { modified: time, changed: time }
    }

    pub(crate) fn record(&mut self, change: Change) {
        self.live.apply(&change);
        self.journal.push(change);
    }

    pub(crate) fn inode(&self, id: Id) -> io::Result<&Inode> {
        self.live.inode(id).ok_or_else(|| Errno::NotFound.into())
    }

    pub(crate) fn make(&mut self, path: &Path, kind: Kind, mode: u32) -> io::Result<Id> {
        self.make_with(path, kind, mode, &[])
    }

    pub(crate) fn make_symlink(&mut self, path: &Path, target: &[u8]) -> io::Result<Id> {
        self.make_with(path, Kind::Symlink, 0o777, target)
    }

    fn make_with(&mut self, path: &Path, kind: Kind, mode: u32, target: &[u8]) -> io::Result<Id> {
        let (dir, name) = self.live.parent(path)?;
        if self.live.child(dir, name)?.is_some() {
            return Err(Errno::Exists.into());
        }
        let number = self.numbers_free.pop_first().unwrap_or_else(|| {
            self.number_next += 1;
            self.number_next - 1
        });
        self.ids_made += 1;
        let (id, now) = (Id(self.ids_made), self.tick());
        // Never twice the same generation, whichever number it goes with.
        let generation = self.ids_made as u32;
        let mut inode = Inode::new(kind, number, generation, mode, now);
        inode.target = target.to_vec();
        let inode = Arc::new(inode);
        self.record(Change::Create { place: (dir, name.to_owned()), id, inode });
        Ok(id)
    }

    pub(crate) fn open(&mut self, open: Open) -> u64 {
        self.handles_made += 1;
        self.handles.insert(self.handles_made, open);
        self.handles_made
    }

    pub(crate) fn close(&mut self, handle: u64) {
        let Some(open) = self.handles.remove(&handle) else { return };
        self.leases.retain(|_, holder| *holder != handle);
        self.awaited.retain(|id| self.leases.contains_key(id));
        self.locks.retain(|_, holder| *holder != handle);
        self.forget_if_unused(open.id);
    }

    /// Frees an inode that has neither name nor handle.
    pub(crate) fn forget_if_unused(&mut self, id: Id) {
        let nameless = self.live.inode(id).is_some_and(|inode| inode.links == 0);
        if nameless && !self.handles.values().any(|open| open.id == id) {
            let inode = self.live.remove(id).expect("it was just seen");
            self.numbers_free.insert(inode.number);
        }
    }

    pub(crate) fn reserve(
        &mut self,
        id: Id,
        range: Range,
        mut times: Times,
        grow_only: bool,
    ) -> io::Result<()> {
        let inode = self.inode(id)?;
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        let held = inode.blocks.range(blocks.clone()).count() as u64;
        let wanted = blocks.end - blocks.start - held;
        if grow_only && inode.size >= range.end {
            times.modified = None;
        }
        if let Some(capacity) = self.options.capacity_blocks
            && self.live.blocks_used() + wanted > capacity
        {
            return Err(Errno::NoSpace.into());
        }
        let stamp = self.stamps_made;
        self.stamps_made += blocks.end - blocks.start;
        self.record(Change::Reserve { id, blocks, stamp, size: range.end, times });
        Ok(())
    }

    pub(crate) fn write(&mut self, open: Open, bytes: &[u8], at: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let times = self.times(open.access);
        let range = Range::new(at, at + bytes.len() as u64);
        self.reserve(open.id, range, times, false)?;
        let change = self.data(open.id, bytes, at);
        self.record(change);
        Ok(())
    }

    /// The change that puts `bytes` into the blocks that the file has now.
    pub(crate) fn data(&self, id: Id, bytes: &[u8], at: u64) -> Change {
        let inode = self.live.inode(id).expect("data goes to a file that is there");
        let stamps = pieces(at, bytes.len())
            .map(|(index, _)| inode.blocks.get(&index).expect("the block was reserved").stamp)
            .collect();
        Change::Data { id, at, bytes: bytes.into(), stamps }
    }

    /// A write that failed may still have reached the disk in part.
    pub(crate) fn write_part(&mut self, open: Open, bytes: &[u8], at: u64) {
        let sectors = bytes.len() as u64 / SECTOR;
        let part = self.random.below(sectors + 1) * SECTOR;
        if self.random.coin() && self.live.inode(open.id).is_some() {
            // Nobody learns of the outcome: the caller already has its error.
            let _ = self.write(open, &bytes[..part as usize], at);
        }
    }

    pub(crate) fn flush(&mut self, scope: Scope) {
        self.journal.flush(scope);
    }

    pub(crate) fn check_power(&self) -> io::Result<()> {
        if self.crashed { Err(crashed()) } else { Ok(()) }
    }
}

fn time(nanos: u64) -> Time {
    Time { seconds: EPOCH + (nanos / NANOS) as i64, nanos: (nanos % NANOS) as u32 }
}

/// Whether a file opened so can be read, or written.
pub(crate) fn readable(access: Access) -> bool {
    access != Access::Inspect
}

pub(crate) fn writable(access: Access) -> bool {
    matches!(access, Access::Write | Access::WriteDirect | Access::Invisible)
}
