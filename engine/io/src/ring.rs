//! The data path of one core: slots of memory, and requests that move data through them.

use std::io;
use std::time::Duration;

/// A buffer of a ring, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u32);

/// A file attached to a ring, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fixed(pub u32);

/// The end of a request: bytes moved, possibly fewer than asked.
#[derive(Debug)]
pub struct Completion {
    pub slot: Slot,
    pub result: io::Result<u32>,
}

/// What a ring did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RingCounters {
    pub reads: u64,
    pub writes: u64,
    pub flushes: u64,
    /// System calls made to submit and wait.
    pub enters: u64,
    /// Requests that came back short or had to be asked again.
    pub retries: u64,
}

impl std::ops::AddAssign for RingCounters {
    fn add_assign(&mut self, other: Self) {
        self.reads += other.reads;
        self.writes += other.writes;
        self.flushes += other.flushes;
        self.enters += other.enters;
        self.retries += other.retries;
    }
}

/// One core's way to the devices. Requests are queued, then submitted, then waited for; each slot
/// has at most one request under way, and a file stays open and attached until its last request
/// has completed.
pub trait Ring {
    type File;

    /// Number of slots; fixed for the life of the ring.
    fn slots(&self) -> u32;
    /// Bytes per slot.
    fn slot_bytes(&self) -> u32;

    /// The caller keeps `file` open until [`detach`](Self::detach).
    fn attach(&mut self, file: &Self::File) -> io::Result<Fixed>;
    /// Both or neither.
    fn attach_both(
        &mut self,
        source: &Self::File,
        target: &Self::File,
    ) -> io::Result<(Fixed, Fixed)> {
        let source = self.attach(source)?;
        let target = self.attach(target).inspect_err(|_| self.detach(source))?;
        Ok((source, target))
    }
    /// Panics if a request on it is under way.
    fn detach(&mut self, file: Fixed);

    /// Queues a read of `len` bytes at `at` into `slot` from byte `from` of it.
    fn read(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32);
    /// Queues a write of `len` bytes at `at` out of `slot` from byte `from` of it.
    fn write(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32);
    /// Hands what is queued to the kernel.
    fn submit(&mut self) -> io::Result<()>;
    /// Submits, waits for at least one completion if any request is under way, and appends all
    /// that are there.
    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()>;

    /// The bytes of a slot. Panics while a read into it is under way; during a write they are
    /// stable, since the kernel only reads them.
    fn bytes(&self, slot: Slot) -> &[u8];
    /// Panics while any request on the slot is under way.
    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8];

    fn counters(&self) -> RingCounters;
}

/// What a flush makes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Data, and what is needed to find it (`fdatasync`).
    Data,
    /// Times and the like, too (`fsync`).
    All,
}

/// A ring whose user decides how long it waits, as one that offers load at a pace of its own does.
pub trait PacedRing: Ring {
    /// Queues a flush of what has been written to `file` and has completed. Nothing moves through
    /// `slot`, which stands for the request until it completes.
    fn flush(&mut self, file: Fixed, slot: Slot, how: Flush);
    /// Submits, and waits for `want` completions, or all if fewer requests are under way, but not
    /// much longer than `limit`. Appends all that are there, which may be none.
    fn wait_for(
        &mut self,
        want: u32,
        limit: Option<Duration>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()>;
}
