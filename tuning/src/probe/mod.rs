//! `dray tune probe`: measures how a device wants to be used, and makes a profile of it.

mod about;
mod measure;
mod report;
pub mod search;
mod sweep;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use dray_io::Fault;
use dray_io::limits::HANDS;
use dray_node::config::{EngineProfile, Profile, Random, Streamed};

use self::measure::{Ground, Pattern, measure};
pub use self::report::ProbeReport;
use self::search::{Device, Found, Setting, Space, search};
pub use self::sweep::Beside;
pub use self::target::Error;
use self::target::{SCRATCH, Target};

/// Measure a device, and write a profile that drayd loads.
#[derive(Args, Clone, Debug)]
pub struct ProbeOptions {
    /// A block device; or a directory, or a file in it, for the file system that it is on
    #[arg(value_name = "DEVICE|FILE")]
    pub target: PathBuf,
    /// Where to write the profile [default: only shown]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Measure writes, too: destroys what is on a device (never on a file system)
    #[arg(long)]
    pub write: bool,
    /// Write to a device though its first MiB is not empty
    #[arg(long, requires = "write")]
    pub force: bool,
    /// Try all settings besides, and show the best of them beside what was found
    #[arg(long)]
    pub sweep: bool,
    /// Milliseconds of one measurement
    #[arg(long, value_name = "MS", default_value_t = 120,
          value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub window: u64,
    /// Seconds after which the search of each pattern ends with what it knows; the last races take
    /// half as long again at most
    #[arg(long, value_name = "S", default_value_t = 24,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub most: u64,
    /// MiB of the file that is made on a file system
    #[arg(long, value_name = "MIB", default_value_t = SCRATCH >> 20,
          value_parser = clap::value_parser!(u64).range(128..=1 << 20))]
    pub mib: u64,
}

/// Bytes that one core may have under way: what the engine's buffers take may be twice this.
const CORE_MEMORY: u64 = 64 << 20;
const KIB: u32 = 1024;
/// Hands also open, list and set attributes: they wait for more than reads, and a device that is
/// all memory wants one read under way (decision 0001).
const HANDS_LEAST: usize = 8;

fn doubled(from: u32, to: u32) -> Vec<u32> {
    std::iter::successors(Some(from), |value| Some(value * 2)).take_while(|it| *it <= to).collect()
}

fn space(pattern: Pattern, cpus: usize) -> Space {
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    let bytes = match pattern {
        Pattern::RandomRead => vec![4 * KIB],
        _ => doubled(64 * KIB, 4 * KIB * KIB),
    };
    let depth = match pattern {
        Pattern::RandomRead => doubled(1, 256),
        _ => doubled(1, 64),
    };
    Space { cores: doubled(1, cpus), bytes, depth, core_memory: CORE_MEMORY }
}

/// One pattern on one target.
struct Bench<'a> {
    ground: Ground<'a>,
    pattern: Pattern,
    seed: u64,
    most: Duration,
    ends: Instant,
}

impl Device for Bench<'_> {
    type Error = Fault;

    fn measure(&mut self, setting: Setting) -> Result<f64, Fault> {
        self.seed += 1;
        measure(&self.ground, self.pattern, setting, self.seed)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    fn settle(&mut self) {
        self.ends = Instant::now() + self.most / 2;
    }
}

/// What was found of one pattern, and what a sweep says.
struct Outcome {
    found: Found,
    beside: Option<Beside>,
}

/// Measures, and writes the profile if asked. `say` hears what is being done.
pub fn run_probe(options: &ProbeOptions, say: &dyn Fn(&str)) -> Result<ProbeReport, Error> {
    let began = Instant::now();
    let target = Target::open(&options.target, options.write, options.force, options.mib << 20)?;
    let mut cpus = affinity::get_thread_affinity().unwrap_or_default();
    if cpus.is_empty() {
        cpus.push(0);
    }
    // As the engine: the first CPU serves most interrupts.
    cpus.reverse();
    let probe = Probe { options, target: &target, cpus: &cpus };
    say("reading from front to back");
    let read = probe.pattern(Pattern::Read)?;
    let write = match target.writable {
        true => {
            say("writing from front to back");
            Some(probe.pattern(Pattern::Write)?)
        }
        false => None,
    };
    say("reading 4 KiB anywhere");
    let random = probe.pattern(Pattern::RandomRead)?;
    say("with the profile");
    let write_found = write.as_ref().map(|write| &write.found);
    let combined = probe.combine(&read.found, write_found, &random.found)?;
    let mut profile = Profile { engine: combined.engine, ..Profile::default() };
    profile.measured.read = Some(streamed(&read.found, combined.read));
    profile.measured.write =
        write_found.zip(combined.write).map(|(found, rate)| streamed(found, rate));
    let Setting { cores, depth, .. } = random.found.setting;
    let reads_per_second = (random.found.rate / f64::from(4 * KIB)) as u64;
    profile.measured.random_read = Some(Random { depth: depth * cores, cores, reads_per_second });
    about::describe(&mut profile.measured, &options.target);
    let beside = [Some(&read), write.as_ref(), Some(&random)];
    let beside = beside.into_iter().flatten().filter_map(|it| it.beside.clone()).collect();
    let measurements = [Some(&read), write.as_ref(), Some(&random)];
    let measurements = measurements.into_iter().flatten().map(|it| it.found.measurements).sum();
    profile.measured.seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    if let Some(out) = &options.out {
        profile.write(out)?;
    }
    Ok(ProbeReport { profile, beside, measurements })
}

fn streamed(found: &Found, engine_rate: f64) -> Streamed {
    let Setting { cores, bytes, depth } = found.setting;
    let (bytes_per_second, engine_bytes_per_second) = (found.rate as u64, engine_rate as u64);
    Streamed { bytes, depth, cores, bytes_per_second, engine_bytes_per_second }
}

/// What the engine is told, and bytes per second with it.
struct Combined {
    engine: EngineProfile,
    read: f64,
    write: Option<f64>,
}

impl Combined {
    /// To read a byte and write it.
    fn seconds_per_byte(&self) -> f64 {
        1.0 / self.read + self.write.map_or(0.0, |write| 1.0 / write)
    }
}

/// Half of the slots read while the others write, so both depths are under way at once, in requests
/// of one size. A hand does one small read at a time.
fn engine_of(read: Setting, write: Setting, random: Setting, io_bytes: u32) -> EngineProfile {
    EngineProfile {
        cores: read.cores.max(write.cores) as usize,
        hands: ((random.depth * random.cores) as usize).clamp(HANDS_LEAST, 2 * HANDS),
        io_bytes,
        slots: depth_at(read, io_bytes) + depth_at(write, io_bytes),
    }
}

/// As many bytes under way with requests of another size.
fn depth_at(setting: Setting, bytes: u32) -> u32 {
    let under_way = u64::from(setting.depth) * u64::from(setting.bytes);
    u32::try_from(under_way.div_ceil(u64::from(bytes))).unwrap_or(u32::MAX)
}

struct Probe<'a> {
    options: &'a ProbeOptions,
    target: &'a Target,
    cpus: &'a [usize],
}

impl Probe<'_> {
    fn bench(&self, pattern: Pattern, most: Duration) -> Bench<'_> {
        let Target { file, path, from, to, .. } = self.target;
        let window = Duration::from_millis(self.options.window);
        let ground = Ground { file, path, from: *from, to: *to, cpus: self.cpus, window };
        Bench { ground, pattern, seed: 0, most, ends: Instant::now() + most }
    }

    fn pattern(&self, pattern: Pattern) -> Result<Outcome, Fault> {
        let space = space(pattern, self.cpus.len());
        let bytes = if pattern == Pattern::RandomRead { 4 * KIB } else { KIB * KIB };
        let start = Setting { cores: 1, bytes, depth: 16 };
        let mut bench = self.bench(pattern, Duration::from_secs(self.options.most));
        let found = search(&space, start, &mut bench)?;
        let beside = self.options.sweep.then(|| {
            let mut bench = self.bench(pattern, Duration::from_secs(24 * 3600));
            sweep::sweep(&space, found.setting, pattern, &mut bench)
        });
        Ok(Outcome { found, beside: beside.transpose()? })
    }

    /// The engine has requests of one size: that of the reads or that of the writes, whichever
    /// moves a byte in less time.
    fn combine(
        &self,
        read: &Found,
        write: Option<&Found>,
        random: &Found,
    ) -> Result<Combined, Fault> {
        let writes = write.map_or(read.setting, |write| write.setting);
        let with = |io_bytes: u32| -> Result<Combined, Fault> {
            let engine = engine_of(read.setting, writes, random.setting, io_bytes);
            let read =
                self.with_profile(&engine, depth_at(read.setting, io_bytes), Pattern::Read)?;
            let depth = depth_at(writes, io_bytes);
            let write = write.map(|_| self.with_profile(&engine, depth, Pattern::Write));
            Ok(Combined { engine, read, write: write.transpose()? })
        };
        let first = with(read.setting.bytes)?;
        if writes.bytes == read.setting.bytes {
            return Ok(first);
        }
        let second = with(writes.bytes)?;
        Ok(if second.seconds_per_byte() < first.seconds_per_byte() { second } else { first })
    }

    /// Bytes per second as the engine will do it.
    fn with_profile(
        &self,
        engine: &EngineProfile,
        depth: u32,
        pattern: Pattern,
    ) -> Result<f64, Fault> {
        let cores = u32::try_from(engine.cores).unwrap_or(1);
        let setting = Setting { cores, bytes: engine.io_bytes, depth };
        let mut bench = self.bench(pattern, Duration::from_secs(10));
        let rates = (0..5).map(|_| bench.measure(setting)).collect::<Result<Vec<_>, _>>()?;
        Ok(search::median(&rates))
    }
}
