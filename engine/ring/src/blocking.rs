//! The data path without io_uring: each request is done when it is queued.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use dray_io::{Aligned, Completion, Fixed, Flush, PacedRing, Ring, RingCounters, Slot};
use rustix::io::Errno;

use crate::core::RingSetup;

/// Plain reads and writes behind the interface of a ring.
pub struct Blocking<F> {
    memory: Aligned,
    slots: u32,
    slot_bytes: u32,
    files: Vec<Option<OwnedFd>>,
    done: Vec<Completion>,
    counters: RingCounters,
    kind: std::marker::PhantomData<fn(&F)>,
}

impl<F: AsFd> Blocking<F> {
    pub fn new(setup: &RingSetup) -> Self {
        Self {
            memory: Aligned::new(setup.bytes()),
            slots: setup.slots,
            slot_bytes: setup.slot_bytes,
            files: Vec::new(),
            done: Vec::with_capacity(setup.slots as usize),
            counters: RingCounters::default(),
            kind: std::marker::PhantomData,
        }
    }

    fn file(&self, file: Fixed) -> BorrowedFd<'_> {
        let attached = self.files[file.0 as usize].as_ref();
        attached.expect("requests go to attached files").as_fd()
    }

    fn start(&self, slot: Slot, from: u32, len: u32) -> usize {
        assert!(from + len <= self.slot_bytes && slot.0 < self.slots, "within the slot");
        slot.0 as usize * self.slot_bytes as usize + from as usize
    }
}

fn outcome(result: Result<usize, Errno>) -> io::Result<u32> {
    let bytes = result.map_err(io::Error::from)?;
    Ok(u32::try_from(bytes).expect("no more than was asked"))
}

impl<F: AsFd> Ring for Blocking<F> {
    type File = F;

    fn slots(&self) -> u32 {
        self.slots
    }

    fn slot_bytes(&self) -> u32 {
        self.slot_bytes
    }

    fn attach(&mut self, file: &F) -> io::Result<Fixed> {
        let own = file.as_fd().try_clone_to_owned()?;
        let free = self.files.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.files.push(None);
            self.files.len() - 1
        });
        self.files[index] = Some(own);
        Ok(Fixed(u32::try_from(index).expect("few files are attached at once")))
    }

    fn detach(&mut self, file: Fixed) {
        self.files[file.0 as usize] = None;
    }

    fn read(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        let start = self.start(slot, from, len);
        let (files, memory) = (&self.files, &mut self.memory);
        let file = files[file.0 as usize].as_ref().expect("requests go to attached files");
        let result = rustix::io::pread(file, &mut memory[start..start + len as usize], at);
        self.counters.reads += 1;
        self.done.push(Completion { slot, result: outcome(result) });
    }

    fn write(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        let start = self.start(slot, from, len);
        let bytes = &self.memory[start..start + len as usize];
        let result = rustix::io::pwrite(self.file(file), bytes, at);
        self.counters.writes += 1;
        self.done.push(Completion { slot, result: outcome(result) });
    }

    fn submit(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        done.append(&mut self.done);
        Ok(())
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        let start = self.start(slot, 0, self.slot_bytes);
        &self.memory[start..start + self.slot_bytes as usize]
    }

    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        let start = self.start(slot, 0, self.slot_bytes);
        &mut self.memory[start..start + self.slot_bytes as usize]
    }

    fn counters(&self) -> RingCounters {
        self.counters
    }
}

impl<F: AsFd> PacedRing for Blocking<F> {
    fn flush(&mut self, file: Fixed, slot: Slot, how: Flush) {
        let file = self.file(file);
        let result = match how {
            Flush::Data => rustix::fs::fdatasync(file),
            Flush::All => rustix::fs::fsync(file),
        };
        self.counters.flushes += 1;
        self.done.push(Completion { slot, result: outcome(result.map(|()| 0)) });
    }

    fn wait_for(
        &mut self,
        _want: u32,
        _limit: Option<Duration>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        self.wait(done)
    }
}
