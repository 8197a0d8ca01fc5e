//! The io_uring back end.

use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use dray_io::limits::BLOCK;
use dray_io::{Aligned, Completion, Fixed, Flush, PacedRing, Ring, RingCounters, Slot};
use io_uring::{IoUring, opcode, squeue, types};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::arena::Arena;
use crate::core::RingSetup;
use crate::slots::{Slots, Use};

/// Files attached at once: two for each piece that a core has under way, with room to spare.
const FILES: u32 = 64;
/// Completions are awaited in batches of up to this many: at 1 MiB each, waking per completion
/// costs a context switch per MiB for nothing.
const BATCH: u32 = 8;

/// One ring with its memory. Stays on the thread that made it: the kernel completes requests
/// only when that thread enters (`IORING_SETUP_DEFER_TASKRUN`).
pub struct Uring<F> {
    ring: ManuallyDrop<IoUring>,
    arena: ManuallyDrop<Arena>,
    slots: Slots,
    slot_bytes: u32,
    /// The descriptors behind the fixed indices, for kernels without sparse file tables.
    descriptors: Vec<RawFd>,
    fixed_files: bool,
    registered: bool,
    /// By attached file: its requests all go to a worker of the kernel.
    punted: Vec<bool>,
    counters: RingCounters,
    files: PhantomData<fn(&F)>,
    /// Not `Send`: see above.
    thread: PhantomData<*const ()>,
}

impl<F> std::fmt::Debug for Uring<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("slots", &self.slots).finish_non_exhaustive()
    }
}

fn build(entries: u32) -> io::Result<IoUring> {
    let newest = IoUring::builder()
        .dontfork()
        .setup_cqsize(entries * 2)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_no_sqarray()
        .build(entries);
    match newest {
        // An older kernel does not know a flag: the plain ring does the same with more work.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            IoUring::builder().dontfork().setup_cqsize(entries * 2).build(entries)
        }
        other => other,
    }
}

/// Whether `file` is a device whose driver cannot be asked without waiting, such as zram. The
/// kernel says so before it reads anything.
fn is_punted(file: BorrowedFd<'_>) -> bool {
    let device = fstat(file)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice);
    if !device {
        return false;
    }
    // Where the driver can be asked, this reads the first block.
    let mut block = Aligned::new(BLOCK as usize);
    let mut whole = [io::IoSliceMut::new(&mut block)];
    matches!(preadv2(file, &mut whole, 0, ReadWriteFlags::NOWAIT), Err(Errno::OPNOTSUPP))
}

impl<F: AsFd> Uring<F> {
    /// A ring over `arena`. Fails if the kernel or its configuration has no io_uring; a limit on
    /// locked memory only costs speed.
    pub fn new(setup: &RingSetup, arena: Arena) -> io::Result<Self> {
        assert!(arena.len() >= setup.bytes(), "slots fit the arena");
        let ring = build(setup.slots.next_power_of_two())?;
        // Saves a table lookup per entry into the kernel; older kernels refuse.
        let _ = ring.submitter().register_ring_fd();
        let fixed_files = ring.submitter().register_files_sparse(FILES).is_ok();
        let iovec = libc::iovec { iov_base: arena.address(0).cast(), iov_len: arena.len() };
        // SAFETY: the arena lives, unmoved, until the ring has been closed (see `drop`).
        let registered = unsafe { ring.submitter().register_buffers(&[iovec]) }.is_ok();
        Ok(Self {
            ring: ManuallyDrop::new(ring),
            arena: ManuallyDrop::new(arena),
            slots: Slots::new(setup.slots, FILES),
            slot_bytes: setup.slot_bytes,
            descriptors: vec![-1; FILES as usize],
            fixed_files,
            registered,
            punted: vec![false; FILES as usize],
            counters: RingCounters::default(),
            files: PhantomData,
            thread: PhantomData,
        })
    }

    /// Whether the memory is registered with the kernel; if not, `RLIMIT_MEMLOCK` was too low.
    pub fn is_registered(&self) -> bool {
        self.registered
    }

    fn place(&self, slot: Slot, from: u32, len: u32) -> *mut u8 {
        assert!(from + len <= self.slot_bytes && len > 0, "the request lies within its slot");
        self.arena.address(slot.0 as usize * self.slot_bytes as usize + from as usize)
    }

    fn read_entry(&self, file: Fixed, at: u64, place: *mut u8, len: u32) -> squeue::Entry {
        let descriptor = self.descriptors[file.0 as usize];
        match (self.registered, self.fixed_files) {
            (true, true) => {
                opcode::ReadFixed::new(types::Fixed(file.0), place, len, 0).offset(at).build()
            }
            (true, false) => {
                opcode::ReadFixed::new(types::Fd(descriptor), place, len, 0).offset(at).build()
            }
            (false, true) => opcode::Read::new(types::Fixed(file.0), place, len).offset(at).build(),
            (false, false) => {
                opcode::Read::new(types::Fd(descriptor), place, len).offset(at).build()
            }
        }
    }

    fn write_entry(&self, file: Fixed, at: u64, place: *const u8, len: u32) -> squeue::Entry {
        let descriptor = self.descriptors[file.0 as usize];
        match (self.registered, self.fixed_files) {
            (true, true) => {
                opcode::WriteFixed::new(types::Fixed(file.0), place, len, 0).offset(at).build()
            }
            (true, false) => {
                opcode::WriteFixed::new(types::Fd(descriptor), place, len, 0).offset(at).build()
            }
            (false, true) => {
                opcode::Write::new(types::Fixed(file.0), place, len).offset(at).build()
            }
            (false, false) => {
                opcode::Write::new(types::Fd(descriptor), place, len).offset(at).build()
            }
        }
    }

    fn flush_entry(&self, file: Fixed, how: Flush) -> squeue::Entry {
        let flags = match how {
            Flush::Data => types::FsyncFlags::DATASYNC,
            Flush::All => types::FsyncFlags::empty(),
        };
        if self.fixed_files {
            opcode::Fsync::new(types::Fixed(file.0)).flags(flags).build()
        } else {
            let descriptor = self.descriptors[file.0 as usize];
            opcode::Fsync::new(types::Fd(descriptor)).flags(flags).build()
        }
    }

    /// What is going to a worker anyway goes there without a first try: 4 % less CPU time for 4 KiB
    /// reads of a zram device.
    fn at_once(&self, file: Fixed, entry: squeue::Entry) -> squeue::Entry {
        if self.punted[file.0 as usize] { entry.flags(squeue::Flags::ASYNC) } else { entry }
    }

    fn push(&mut self, slot: Slot, entry: squeue::Entry) {
        let entry = entry.user_data(u64::from(slot.0));
        // SAFETY: the entry points into the arena, which outlives the ring, and at a file that
        // the caller keeps open until `detach`; `Slots` keeps others off the slot until the
        // completion, whatever happens to the submission.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the queue has an entry for every slot");
    }

    fn enter(&mut self, want: u32, limit: Option<Duration>) -> io::Result<()> {
        let limit = limit.map(types::Timespec::from);
        loop {
            self.counters.enters += 1;
            let entered = match &limit {
                None => self.ring.submit_and_wait(want as usize),
                Some(limit) => {
                    let limited = types::SubmitArgs::new().timespec(limit);
                    self.ring.submitter().submit_with_args(want as usize, &limited)
                }
            };
            match entered {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ETIME) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The completion queue must be emptied, or memory is short: completions help.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN)) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn reap(&mut self, done: &mut Vec<Completion>) {
        for entry in self.ring.completion() {
            let slot = Slot(u32::try_from(entry.user_data()).expect("user data is a slot index"));
            self.slots.end(slot);
            let result = match entry.result() {
                bytes if bytes >= 0 => Ok(bytes.unsigned_abs()),
                error => Err(io::Error::from_raw_os_error(-error)),
            };
            done.push(Completion { slot, result });
        }
    }
}

impl<F: AsFd> Ring for Uring<F> {
    type File = F;

    fn slots(&self) -> u32 {
        self.slots.count()
    }

    fn slot_bytes(&self) -> u32 {
        self.slot_bytes
    }

    fn attach(&mut self, file: &F) -> io::Result<Fixed> {
        let descriptor = file.as_fd().as_raw_fd();
        let index =
            self.slots.attach().ok_or_else(|| io::Error::other("too many files at once"))?;
        if self.fixed_files
            && let Err(error) = self.ring.submitter().register_files_update(index, &[descriptor])
        {
            self.slots.detach(index);
            return Err(error);
        }
        self.descriptors[index as usize] = descriptor;
        self.punted[index as usize] = is_punted(file.as_fd());
        Ok(Fixed(index))
    }

    fn detach(&mut self, file: Fixed) {
        self.slots.detach(file.0);
        if self.fixed_files {
            // A slot of the table that cannot be cleared is overwritten by the next attach.
            let _ = self.ring.submitter().register_files_update(file.0, &[-1]);
        }
    }

    fn read(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        let place = self.place(slot, from, len);
        self.slots.begin(slot, Use::Reading(file.0));
        self.counters.reads += 1;
        let entry = self.read_entry(file, at, place, len);
        self.push(slot, self.at_once(file, entry));
    }

    fn write(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        let place = self.place(slot, from, len);
        self.slots.begin(slot, Use::Writing(file.0));
        self.counters.writes += 1;
        let entry = self.write_entry(file, at, place, len);
        self.push(slot, self.at_once(file, entry));
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.ring.submission().is_empty() { Ok(()) } else { self.enter(0, None) }
    }

    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        let under_way = self.slots.under_way();
        if under_way == 0 {
            return Ok(());
        }
        let before = done.len();
        while done.len() == before {
            self.enter((under_way / 4).clamp(1, BATCH), None)?;
            self.reap(done);
        }
        Ok(())
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        self.slots.assert_readable(slot);
        let offset = slot.0 as usize * self.slot_bytes as usize;
        // SAFETY: `Slots` says that no read into the slot is under way, and starting one takes
        // `&mut self`.
        unsafe { self.arena.slice(offset, self.slot_bytes as usize) }
    }

    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        self.slots.assert_idle(slot);
        let offset = slot.0 as usize * self.slot_bytes as usize;
        // SAFETY: `Slots` says that no request on the slot is under way, and starting one takes
        // `&mut self`.
        unsafe { self.arena.slice_mut(offset, self.slot_bytes as usize) }
    }

    fn counters(&self) -> RingCounters {
        self.counters
    }
}

impl<F: AsFd> PacedRing for Uring<F> {
    fn flush(&mut self, file: Fixed, slot: Slot, how: Flush) {
        self.slots.begin(slot, Use::Flushing(file.0));
        self.counters.flushes += 1;
        let entry = self.flush_entry(file, how);
        self.push(slot, entry);
    }

    fn wait_for(
        &mut self,
        want: u32,
        limit: Option<Duration>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let under_way = self.slots.under_way();
        if under_way == 0 {
            return Ok(());
        }
        // Waiting for none still asks for completions, which the kernel has put off.
        let limit = if want == 0 { Some(Duration::ZERO) } else { limit };
        self.enter(want.clamp(1, under_way), limit)?;
        self.reap(done);
        Ok(())
    }
}

impl<F> Drop for Uring<F> {
    /// Closing a ring does not wait for the kernel: requests end later, in memory that may be
    /// somebody else's by then. So wait for all of them; if that cannot be done, keep the memory
    /// and end the process.
    fn drop(&mut self) {
        while self.slots.under_way() > 0 {
            if std::thread::panicking() || self.ring.submit_and_wait(1).is_err() {
                eprintln!("dray: requests are under way and cannot be awaited: ending at once");
                std::process::abort();
            }
            for entry in self.ring.completion() {
                self.slots.end(Slot(u32::try_from(entry.user_data()).unwrap_or(u32::MAX)));
            }
        }
        if self.fixed_files {
            // Closing the ring would leave this to a worker of the kernel: whoever opens a device
            // for himself (`O_EXCL`) after this process found it busy for a moment.
            let _ = self.ring.submitter().unregister_files();
        }
        // SAFETY: not used again; nothing is under way, so the kernel has let go of the arena.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        // SAFETY: not used again, and the ring that knew it is gone.
        unsafe { ManuallyDrop::drop(&mut self.arena) };
    }
}
