//! One short measurement on the engine's own ring: as many requests under way as asked, each
//! replaced when it has completed.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use dray_fs::LinuxFile;
use dray_io::{Completion, Context, Fault, Fixed, Operation, Ring, Slot};
use dray_ring::{CoreRing, RingChoice, RingSetup};

use super::search::Setting;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// From front to back, each core in a part of its own.
    Read,
    Write,
    /// Reads at offsets that nobody foresees.
    RandomRead,
}

/// What is measured on, and for how long.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) file: &'a LinuxFile,
    pub(super) path: &'a Path,
    /// First byte that may be touched, and the byte behind the last; whole MiB.
    pub(super) from: u64,
    pub(super) to: u64,
    /// CPU ids that cores are pinned to, the last ones first.
    pub(super) cpus: &'a [usize],
    pub(super) window: Duration,
}

/// A slow device is given this much longer, so that each request of the first turn completes.
const PATIENCE: u32 = 10;
/// Turns of all slots that a measurement takes at the least.
const TURNS: u64 = 2;

/// Bytes per second of all cores together.
pub(super) fn measure(
    ground: &Ground<'_>,
    pattern: Pattern,
    setting: Setting,
    seed: u64,
) -> Result<f64, Fault> {
    let barrier = Barrier::new(setting.cores as usize);
    let run = |core: u32| {
        let cpu = ground.cpus[core as usize % ground.cpus.len()];
        // Unpinned it is measured all the same.
        let _ = affinity::set_thread_affinity([cpu]);
        let made = Core::new(ground, pattern, setting, core, seed);
        // Whoever could not begin must not keep the others waiting.
        barrier.wait();
        made?.run(ground)
    };
    let rates: Vec<Result<f64, Fault>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..setting.cores).map(|core| scope.spawn(move || run(core))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    rates.into_iter().sum()
}

struct Core<'a> {
    ring: CoreRing<LinuxFile>,
    file: Fixed,
    path: &'a Path,
    pattern: Pattern,
    bytes: u32,
    /// Where this core's part begins, in bytes, and how many requests it is.
    first: u64,
    count: u64,
    next: u64,
    random: u64,
    /// Where the request of each slot began.
    places: Vec<u64>,
}

impl<'a> Core<'a> {
    fn new(
        ground: &Ground<'a>,
        pattern: Pattern,
        setting: Setting,
        core: u32,
        seed: u64,
    ) -> Result<Self, Fault> {
        let Setting { cores, bytes, depth } = setting;
        let setup = RingSetup { choice: RingChoice::Auto, slots: depth, slot_bytes: bytes };
        let (mut ring, _) =
            CoreRing::new(&setup).during(Operation::Register, Path::new("io_uring"))?;
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(core + 1);
        if pattern == Pattern::Write {
            for slot in 0..depth {
                fill(ring.bytes_mut(Slot(slot)), &mut random);
            }
        }
        let file = ring.attach(ground.file).during(Operation::Register, ground.path)?;
        let count = (ground.to - ground.from) / u64::from(bytes) / u64::from(cores);
        let first = ground.from + count * u64::from(core) * u64::from(bytes);
        let next = step(&mut random) % count.max(1);
        let places = vec![0; depth as usize];
        let path = ground.path;
        Ok(Self { ring, file, path, pattern, bytes, first, count, next, random, places })
    }

    fn begin(&mut self, slot: Slot) {
        let index = match self.pattern {
            Pattern::RandomRead => step(&mut self.random) % self.count,
            _ => {
                self.next = (self.next + 1) % self.count;
                self.next
            }
        };
        let at = self.first + index * u64::from(self.bytes);
        self.places[slot.0 as usize] = at;
        match self.pattern {
            Pattern::Write => self.ring.write(self.file, at, slot, 0, self.bytes),
            _ => self.ring.read(self.file, at, slot, 0, self.bytes),
        }
    }

    fn finish(&self, completion: Completion) -> Result<Slot, Fault> {
        let operation = match self.pattern {
            Pattern::Write => Operation::Write,
            _ => Operation::Read,
        };
        let at = self.places[completion.slot.0 as usize];
        let moved = completion.result.during_at(operation, self.path, at)?;
        if moved != self.bytes {
            let text = format!("{moved} of {} bytes moved: is it being cut short?", self.bytes);
            return Err(std::io::Error::other(text)).during_at(operation, self.path, at);
        }
        Ok(completion.slot)
    }

    /// Counting begins when all slots have been round once.
    fn run(mut self, ground: &Ground<'_>) -> Result<f64, Fault> {
        let slots = self.ring.slots();
        let mut done = Vec::with_capacity(slots as usize);
        (0..slots).for_each(|slot| self.begin(Slot(slot)));
        let (mut warm, mut counted) = (0, 0_u64);
        let mut began = Instant::now();
        loop {
            self.ring.wait(&mut done).during(Operation::Submit, self.path)?;
            for completion in done.drain(..) {
                let slot = self.finish(completion)?;
                self.begin(slot);
                if warm < u64::from(slots) {
                    warm += 1;
                    began = Instant::now();
                } else {
                    counted += 1;
                }
            }
            let elapsed = began.elapsed();
            let enough = counted >= TURNS * u64::from(slots) || elapsed > ground.window * PATIENCE;
            if warm == u64::from(slots) && elapsed >= ground.window && enough {
                return Ok(counted as f64 * f64::from(self.bytes) / elapsed.as_secs_f64());
            }
        }
    }
}

fn step(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Bytes that nothing compresses.
pub(super) fn fill(bytes: &mut [u8], state: &mut u64) {
    for word in bytes.chunks_mut(8) {
        let random = step(state).to_le_bytes();
        word.copy_from_slice(&random[..word.len()]);
    }
}
