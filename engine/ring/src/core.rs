//! The ring of one core, whichever kind can be had.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use dray_io::limits::{SLOT_BYTES, SLOTS};
use dray_io::{Completion, Fixed, Flush, PacedRing, Ring, RingCounters, Slot};

use crate::arena::Arena;
use crate::blocking::Blocking;
use crate::uring::Uring;

/// Which back end to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RingChoice {
    /// io_uring, or plain reads and writes where it is not permitted.
    #[default]
    Auto,
    Uring,
    Blocking,
}

/// Shape of a ring.
#[derive(Debug, Clone, Copy)]
pub struct RingSetup {
    pub choice: RingChoice,
    pub slots: u32,
    /// Bytes per slot; whole blocks.
    pub slot_bytes: u32,
}

impl RingSetup {
    /// Bytes of all slots together.
    pub(crate) fn bytes(&self) -> usize {
        self.slots as usize * self.slot_bytes as usize
    }
}

impl Default for RingSetup {
    fn default() -> Self {
        Self { choice: RingChoice::Auto, slots: SLOTS as u32, slot_bytes: SLOT_BYTES as u32 }
    }
}

/// One core's ring.
pub enum CoreRing<F> {
    Uring(Box<Uring<F>>),
    Blocking(Blocking<F>),
}

impl<F: AsFd> CoreRing<F> {
    /// Makes a ring on the calling thread, which alone may use it. The text is a notice for the
    /// user when it is not the best that was asked for.
    pub fn new(setup: &RingSetup) -> io::Result<(Self, Option<String>)> {
        if setup.choice == RingChoice::Blocking {
            return Ok((Self::Blocking(Blocking::new(setup)), None));
        }
        let arena = Arena::new(setup.bytes())?;
        match Uring::new(setup, arena) {
            Ok(ring) => {
                let notice = (!ring.is_registered()).then(|| {
                    "the limit on locked memory is too low to register the buffers: raise it \
                     (`ulimit -l`, `LimitMEMLOCK=`) for less CPU time per GiB"
                        .to_owned()
                });
                Ok((Self::Uring(Box::new(ring)), notice))
            }
            Err(error) if setup.choice == RingChoice::Auto && is_refusal(&error) => {
                let notice = format!(
                    "io_uring cannot be used here ({error}; see the sysctl \
                     kernel.io_uring_disabled): moving with plain reads and writes"
                );
                Ok((Self::Blocking(Blocking::new(setup)), Some(notice)))
            }
            Err(error) => Err(error),
        }
    }
}

/// `EPERM`: switched off by sysctl or a seccomp filter; `ENOSYS`: not built in or filtered;
/// `ENOMEM`: on kernels before 5.12 rings count against the locked memory limit.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::ENOMEM))
}

macro_rules! each {
    ($self:ident, $ring:ident => $call:expr) => {
        match $self {
            Self::Uring($ring) => $call,
            Self::Blocking($ring) => $call,
        }
    };
}

impl<F: AsFd> Ring for CoreRing<F> {
    type File = F;

    fn slots(&self) -> u32 {
        each!(self, ring => ring.slots())
    }

    fn slot_bytes(&self) -> u32 {
        each!(self, ring => ring.slot_bytes())
    }

    fn attach(&mut self, file: &F) -> io::Result<Fixed> {
        each!(self, ring => ring.attach(file))
    }

    fn detach(&mut self, file: Fixed) {
        each!(self, ring => ring.detach(file));
    }

    fn read(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        each!(self, ring => ring.read(file, at, slot, from, len));
    }

    fn write(&mut self, file: Fixed, at: u64, slot: Slot, from: u32, len: u32) {
        each!(self, ring => ring.write(file, at, slot, from, len));
    }

    fn submit(&mut self) -> io::Result<()> {
        each!(self, ring => ring.submit())
    }

    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<()> {
        each!(self, ring => ring.wait(done))
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        each!(self, ring => ring.bytes(slot))
    }

    fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        each!(self, ring => ring.bytes_mut(slot))
    }

    fn counters(&self) -> RingCounters {
        each!(self, ring => ring.counters())
    }
}

impl<F: AsFd> PacedRing for CoreRing<F> {
    fn flush(&mut self, file: Fixed, slot: Slot, how: Flush) {
        each!(self, ring => ring.flush(file, slot, how));
    }

    fn wait_for(
        &mut self,
        want: u32,
        limit: Option<Duration>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        each!(self, ring => ring.wait_for(want, limit, done))
    }
}
