//! What the options come to, and what is refused before any I/O.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use dray_io::Flush;

use crate::core::Shape;
use crate::error::Refusal;
use crate::options::{DeviceOptions, RateProcess};
use crate::pace::Pace;
use crate::rules;
use crate::sizes::{Sizes, parse_size};
use crate::source::{Fill, Load, Span};
use crate::target::{Opening, Target};

/// Bytes of memory per core at most.
const MOST_MEMORY: u64 = 16 << 30;

/// What is to be done, before any target is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub paths: Vec<PathBuf>,
    pub opening: Opening,
    pub load: Load,
    pub shape: Shape,
    pub cpus: Vec<usize>,
    /// Bytes of the largest request.
    pub slot_bytes: u32,
    pub offset: u64,
    pub size: Option<Extent>,
}

/// How much of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Bytes(u64),
    Percent(u64),
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Options(why.into()))
}

impl Plan {
    /// Refuses what cannot be, whatever the targets are. `allowed` are the CPUs of the process.
    pub(crate) fn new(options: &DeviceOptions, allowed: &[usize]) -> Result<Self, Refusal> {
        rules::check(options)?;
        let (read_sizes, write_sizes) = sizes(options)?;
        let most = read_sizes.most().max(write_sizes.most());
        let depth = options.iodepth;
        if u64::from(depth) * u64::from(most) > MOST_MEMORY {
            return refuse(format!(
                "--iodepth {depth} of {most} bytes each takes more than {MOST_MEMORY} bytes of \
                 memory per core"
            ));
        }
        let read_percent = match (options.rw.is_mixed(), options.rw.writes()) {
            (true, _) => options.rwmixread.unwrap_or(50),
            (false, writes) => {
                if writes {
                    0
                } else {
                    100
                }
            }
        };
        let flush = options.fsync.map(|every| (every, Flush::All));
        let flush = flush.or(options.fdatasync.map(|every| (every, Flush::Data)));
        let fill = match options.zero_buffers {
            true => Fill::Zeros,
            false => Fill::Random {
                zero_percent: options.buffer_compress_percentage,
                refill: options.refill_buffers,
            },
        };
        let pace = match (options.rate_iops, options.rate_process) {
            (None, _) => Pace::Closed,
            (Some(rate), RateProcess::Linear) => Pace::Linear(rate),
            (Some(rate), RateProcess::Poisson) => Pace::Poisson(rate),
        };
        let size = options.size.as_deref().map(extent).transpose()?;
        Ok(Self {
            paths: paths(&options.filename)?,
            opening: opening(options, size),
            load: Load {
                read_percent,
                random: options.rw.is_random(),
                cover: !options.norandommap,
                read_sizes,
                write_sizes,
                flush,
                fill,
                seed: options.randseed,
            },
            shape: Shape {
                depth,
                submit: options.iodepth_batch_submit,
                complete_min: options.iodepth_batch_complete_min,
                pace,
                ramp: options.ramp_time.as_nanos() as u64,
                time: options.runtime.map(|time| time.as_nanos() as u64),
                ios: options.number_ios,
                bytes: options.io_size,
                seed: options.randseed,
            },
            cpus: cpus(options, allowed)?,
            slot_bytes: most,
            offset: options.offset,
            size,
        })
    }

    /// Whether the targets can take it; the part of each that is worked on.
    pub(crate) fn spans(&self, targets: &[Target]) -> Result<Vec<Span>, Refusal> {
        targets.iter().map(|target| self.span(target)).collect()
    }

    fn span(&self, target: &Target) -> Result<Span, Refusal> {
        let refused = |why| Err(Refusal::Target { path: target.path.clone(), why });
        let block = u64::from(target.block);
        let sizes = [(&self.load.read_sizes, 100), (&self.load.write_sizes, 0)];
        let used = sizes.iter().filter(|(_, without)| self.load.read_percent != 100 - without);
        if self.opening.direct {
            for size in used.clone().flat_map(|(sizes, _)| sizes.all()) {
                if !u64::from(size).is_multiple_of(block) {
                    return refused(format!(
                        "direct requests of {size} bytes are not multiples of its blocks of \
                         {block} bytes: choose another --bs, or --direct 0"
                    ));
                }
            }
            if !self.offset.is_multiple_of(block) {
                return refused(format!(
                    "--offset {} is not a multiple of its blocks of {block} bytes",
                    self.offset
                ));
            }
        }
        let rest = target.size.saturating_sub(self.offset);
        let size = match self.size {
            None => rest,
            Some(Extent::Bytes(bytes)) => bytes,
            Some(Extent::Percent(percent)) => (target.size / 100 * percent).min(rest),
        };
        if size > rest {
            return refused(format!(
                "has {} bytes, so --size {size} from --offset {} is more than there is",
                target.size, self.offset
            ));
        }
        let unit = u64::from(self.load.read_sizes.least().min(self.load.write_sizes.least()));
        let size = size / unit * unit;
        let each = if self.load.random { 1 } else { self.cpus.len() as u64 };
        if size / each < u64::from(self.slot_bytes) {
            return refused(format!(
                "the working set of {size} bytes is smaller than one request of {} bytes per core",
                self.slot_bytes
            ));
        }
        Ok(Span { from: self.offset, to: self.offset + size })
    }

    /// Every option as it was resolved, by fio's names.
    pub(crate) fn resolved(&self, options: &DeviceOptions) -> BTreeMap<String, String> {
        let join = |of: Vec<String>| of.join(":");
        let sizes = |of: &Sizes| join(of.all().map(|size| size.to_string()).collect());
        let mut resolved = BTreeMap::from([
            ("filename", join(self.paths.iter().map(|it| it.display().to_string()).collect())),
            ("rw", format!("{:?}", options.rw).to_lowercase()),
            ("rwmixread", self.load.read_percent.to_string()),
            ("bs", format!("{},{}", sizes(&self.load.read_sizes), sizes(&self.load.write_sizes))),
            ("iodepth", self.shape.depth.to_string()),
            ("iodepth_batch_submit", self.shape.submit.to_string()),
            ("iodepth_batch_complete_min", self.shape.complete_min.to_string()),
            ("numjobs", self.cpus.len().to_string()),
            ("cpus_allowed", self.cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")),
            ("offset", self.offset.to_string()),
            ("ramp_time", format!("{}us", self.shape.ramp / 1000)),
            ("randseed", self.load.seed.to_string()),
            ("norandommap", u8::from(!self.load.cover).to_string()),
            ("direct", options.direct.to_string()),
            ("sync", if options.sync { "dsync" } else { "none" }.to_string()),
            ("zero_buffers", u8::from(options.zero_buffers).to_string()),
            ("buffer_compress_percentage", options.buffer_compress_percentage.to_string()),
            ("refill_buffers", u8::from(options.refill_buffers).to_string()),
        ]);
        let mut some = |name, value: Option<String>| {
            if let Some(value) = value {
                resolved.insert(name, value);
            }
        };
        some("bssplit", options.bssplit.clone());
        some("size", options.size.clone());
        some("runtime", self.shape.time.map(|ns| format!("{}us", ns / 1000)));
        some("number_ios", self.shape.ios.map(|n| n.to_string()));
        some("io_size", self.shape.bytes.map(|n| n.to_string()));
        some("rate_iops", self.shape.pace.rate().map(|rate| rate.to_string()));
        let process = format!("{:?}", options.rate_process).to_lowercase();
        some("rate_process", self.shape.pace.rate().map(|_| process));
        let given = |given: bool| given.then(|| "1".to_owned());
        let micros = |time: Duration| format!("{}us", time.as_micros());
        let target = options.latency_target;
        some("latency_target", target.map(micros));
        some("latency_window", target.map(|_| micros(options.latency_window())));
        some("latency_percentile", target.map(|_| options.latency_percentile().to_string()));
        let search = format!("{:?}", options.latency_search).to_lowercase();
        some("latency_search", target.map(|_| search));
        let join = |of: &Vec<u32>| of.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        some("curve", options.curve.as_ref().map(join));
        some("precondition", given(options.precondition));
        some("steady_state", given(options.steady_state));
        some("verify", given(options.verify));
        some("verify_only", given(options.verify_only));
        some("verify_state", options.verify_state.as_ref().map(|it| it.display().to_string()));
        some("allow_mounted_write", given(options.allow_mounted_write));
        some("fsync", options.fsync.map(|n| n.to_string()));
        some("fdatasync", options.fdatasync.map(|n| n.to_string()));
        resolved.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn opening(options: &DeviceOptions, size: Option<Extent>) -> Opening {
    let write = options.rw.writes() || options.precondition;
    let make = match size {
        Some(Extent::Bytes(bytes)) if write => options.offset.checked_add(bytes),
        _ => None,
    };
    let (durable, forced) = (options.sync, options.allow_mounted_write);
    Opening { write, direct: options.direct == 1, durable, forced, make }
}

/// For reads and for writes.
fn sizes(options: &DeviceOptions) -> Result<(Sizes, Sizes), Refusal> {
    let (text, split) = match &options.bssplit {
        Some(split) => (split.as_str(), true),
        None => (options.bs(), false),
    };
    let parse = |text: &str| match split {
        true => Sizes::parse(text),
        false => {
            let wrong = |why: String| Refusal::Value { option: "bs", value: text.into(), why };
            let bytes = parse_size(text).map_err(wrong)?;
            let bytes = u32::try_from(bytes).ok().filter(|bytes| *bytes <= 1 << 30);
            bytes.map(Sizes::one).ok_or_else(|| wrong("a request has up to 1 GiB".into()))
        }
    };
    match text.split_once(',') {
        Some((reads, writes)) => Ok((parse(reads)?, parse(writes)?)),
        None => parse(text).map(|sizes| (sizes.clone(), sizes)),
    }
}

fn extent(text: &str) -> Result<Extent, Refusal> {
    let wrong = |why: String| Refusal::Value { option: "size", value: text.into(), why };
    let Some(percent) = text.strip_suffix('%') else {
        return parse_size(text).map(Extent::Bytes).map_err(wrong);
    };
    match percent.parse() {
        Ok(percent @ 1..=100) => Ok(Extent::Percent(percent)),
        _ => Err(wrong("from 1% to 100%".into())),
    }
}

/// Several in one, separated by colons, as fio has them.
fn paths(names: &[String]) -> Result<Vec<PathBuf>, Refusal> {
    let mut paths = Vec::new();
    for name in names {
        for part in name.replace(r"\:", "\0").split(':') {
            if part.is_empty() {
                return Err(Refusal::Value {
                    option: "filename",
                    value: name.clone(),
                    why: "a name is empty".into(),
                });
            }
            paths.push(part.replace('\0', ":").into());
        }
    }
    // As many as a ring can have attached.
    if paths.len() > 64 {
        return refuse(format!("{} targets: up to 64 can be used at once", paths.len()));
    }
    Ok(paths)
}

/// As 0,2-3.
fn parse_cpus(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // More than any kernel has.
        (first <= last && last < 1 << 16).then(|| cpus.extend(first..=last))?;
    }
    Some(cpus)
}

fn cpus(options: &DeviceOptions, allowed: &[usize]) -> Result<Vec<usize>, Refusal> {
    let cpus = match &options.cpus_allowed {
        None => allowed.to_vec(),
        Some(text) => parse_cpus(text).ok_or_else(|| Refusal::Value {
            option: "cpus_allowed",
            value: text.clone(),
            why: "CPUs are numbers and ranges as 0,2-3".into(),
        })?,
    };
    if let Some(cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        return refuse(format!("--cpus_allowed: this process may not use CPU {cpu}"));
    }
    if options.numjobs > cpus.len() {
        return refuse(format!(
            "--numjobs {}: a core is a pinned thread, and there are {} CPUs for them",
            options.numjobs,
            cpus.len()
        ));
    }
    Ok(cpus[..options.numjobs].to_vec())
}
