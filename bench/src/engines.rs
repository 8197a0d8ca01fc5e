//! `dray bench engines`: the ring of the product and other engines on the same work, alternating.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use dray_results::Place;
use serde::Serialize;

use crate::cold;
use crate::command::Cmd;
use crate::conditions;
use crate::data::{compare, make_file};
use crate::interrupt;
use crate::machine::Machine;
use crate::options::{ENGINE_NAMES, EnginesOptions};
use crate::report::{Report, Role};
use crate::runner::{Contestant, Held, Meter, Phase, Runner};
use crate::scratch::Scratch;
use crate::stats::Spread;
use crate::table::{spread_cell, write_aligned};
use crate::tools::Tool;

const MIB: u64 = 1 << 20;
const GIB: f64 = 1073741824.0;
const SEED: u64 = 0x656e_6769_6e65;
const READ_BLOCK: u64 = 4096;
const PROGRAM: &str = "dray-engines";
/// Of the C library: memory in pages of 2 MiB for every engine, as the ring of dray has anyway.
const HUGE: (&str, &str) =
    ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824");

/// What was measured, and what it cost per GiB.
#[derive(Debug, Serialize)]
pub struct EnginesReport {
    #[serde(flatten)]
    pub report: Report,
    pub costs: Vec<Cost>,
}

/// Of one engine in one phase.
#[derive(Debug, Serialize)]
pub struct Cost {
    pub engine: String,
    pub phase: String,
    /// User and system time.
    pub cpu_s_per_gib: Spread,
    /// Counted in a run of its own, which was not timed. None where `perf` cannot count.
    pub syscalls_per_gib: Option<f64>,
}

/// Times the engines; `dray` is this program, beside which theirs is looked for.
pub fn run_engines(options: &EnginesOptions, dray: &Path) -> Result<EnginesReport> {
    interrupt::watch()?;
    let program = find(options, dray)?;
    let size = options.size.next_multiple_of(MIB);
    let scratch = Scratch::new(&options.dir, size * 2 + 16 * MIB, options.keep)?;
    let device = Place::of(scratch.root())?;
    let machine = Machine::describe(scratch.root(), &device);
    let workload = Workload {
        options,
        program: &program,
        source: scratch.path("source"),
        target: scratch.path("target"),
        size,
    };
    make_file(&workload.source, size, SEED)?;
    make_file(&workload.target, size, SEED + 1)?;
    let chosen = |key: &str| {
        key == "ring" || options.only.is_empty() || options.only.iter().any(|name| name == key)
    };
    let engines: Vec<&str> = ENGINE_NAMES.into_iter().filter(|key| chosen(key)).collect();

    let mut conditions = conditions::common(options.keep.then(|| scratch.root()));
    conditions.extend(workload.conditions());
    let drop_caches = cold::can_drop_caches();
    let runner = Runner { device, dir: scratch.root().into(), rounds: options.rounds, drop_caches };
    let series = runner.run(engines.iter().map(|key| workload.contestant(key)).collect())?;
    let perf = Tool::find("perf");
    let mut report = Report {
        format: 1,
        workload: "engines".to_owned(),
        bytes: size,
        files: 1,
        rounds: options.rounds,
        conditions,
        machine,
        tools: vec![program.clone(), perf.clone()],
        fastest: Vec::new(),
        ratios: Vec::new(),
        series,
    };
    report.conclude(&[]);
    let costs = workload.costs(&mut report, &perf, &scratch.path("counts"));
    Ok(EnginesReport { report, costs })
}

fn find(options: &EnginesOptions, dray: &Path) -> Result<Tool> {
    let beside = dray.with_file_name(PROGRAM);
    let tool = match &options.engines {
        Some(path) => Tool::at(PROGRAM, path),
        None if beside.is_file() => Tool::at(PROGRAM, &beside),
        None => Tool::find(PROGRAM),
    };
    let there = tool.present() && tool.path().is_file();
    ensure!(
        there,
        "{PROGRAM} is not there: its engines are no dependencies of dray, so it is built apart. \
         In the sources of dray: cargo xtask engines"
    );
    Ok(tool)
}

struct Workload<'a> {
    options: &'a EnginesOptions,
    program: &'a Tool,
    source: PathBuf,
    target: PathBuf,
    size: u64,
}

impl Workload<'_> {
    fn contestant(&self, engine: &'static str) -> Contestant {
        let nothing = || -> Result<Held> { Ok(Box::new(())) };
        let (target, size) = (self.target.clone(), self.size);
        // Other bytes than those of the source, so that a copy that did nothing is seen.
        let other = move || -> Result<Held> {
            make_file(&target, size, SEED + 1)?;
            Ok(Box::new(()))
        };
        let (source, target) = (self.source.clone(), self.target.clone());
        let phases = vec![
            Phase {
                name: "read",
                meter: Meter::Requests(self.options.reads),
                setup: Box::new(nothing),
                commands: vec![self.read(engine)],
                check: Box::new(|_| Ok(())),
            },
            Phase {
                name: "copy",
                meter: Meter::Bytes(size),
                setup: Box::new(other),
                commands: vec![self.copy(engine)],
                check: Box::new(move |full| if full { compare(&source, &target) } else { Ok(()) }),
            },
        ];
        let role = if engine == "ring" { Role::Dray } else { Role::Rival };
        let clean = Box::new(|| Ok(()));
        Contestant { key: engine, name: engine, role, touch: 0, phases, clean }
    }

    fn command(&self, engine: &str, workload: &str) -> Cmd {
        self.program.cmd().variable(HUGE.0, HUGE.1).args([engine, workload])
    }

    fn read(&self, engine: &str) -> Cmd {
        let (count, depth) = (self.options.reads, self.options.read_depth);
        let command = self.command(engine, "read").arg(&self.source);
        command.args([format!("--count={count}"), format!("--depth={depth}")])
    }

    fn copy(&self, engine: &str) -> Cmd {
        let depth = format!("--depth={}", self.options.copy_depth);
        self.command(engine, "copy").args([&self.source, &self.target]).arg(depth)
    }

    fn conditions(&self) -> Vec<String> {
        let Self { options: EnginesOptions { reads, read_depth, copy_depth, .. }, .. } = self;
        vec![
            format!(
                "read: {reads} reads of 4 KiB at random places, {read_depth} under way; copy: \
                 requests of 1 MiB, {copy_depth} under way, into a file of the same size with \
                 other bytes; all with O_DIRECT"
            ),
            "one executor, runtime or ring, of one thread; but as many threads as requests under \
             way for those with plain reads and writes, on all processors"
                .to_owned(),
            "glommio reads into buffers of its choice and writes out of others: a copy by it \
             copies in memory, too"
                .to_owned(),
            "start of the program and making of its ring and buffers are timed with the rest"
                .to_owned(),
        ]
    }

    /// Of each series that did not fail; counts system calls in one more run of each.
    fn costs(&self, report: &mut Report, perf: &Tool, counts: &Path) -> Vec<Cost> {
        let (mut costs, mut trouble) = (Vec::new(), None);
        for series in &report.series {
            let (Some(summary), None) = (&series.summary, &series.failure) else { continue };
            let (command, bytes) = match series.phase.as_str() {
                "read" => (self.read(&series.name), self.options.reads * READ_BLOCK),
                _ => (self.copy(&series.name), self.size),
            };
            let gib = bytes as f64 / GIB;
            let calls = syscalls(command, perf, counts);
            costs.push(Cost {
                engine: series.name.clone(),
                phase: series.phase.clone(),
                cpu_s_per_gib: summary.cpu_s.scaled(1.0 / gib),
                syscalls_per_gib: calls.as_ref().ok().map(|calls| calls / gib),
            });
            trouble = trouble.or(calls.err());
        }
        if let Some(error) = trouble {
            report.conditions.push(format!("system calls are not counted: {error:#}"));
        }
        costs
    }
}

/// System calls of a command, all its threads together.
fn syscalls(command: Cmd, perf: &Tool, counts: &Path) -> Result<f64> {
    ensure!(perf.present(), "perf is not installed");
    let stat = ["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"];
    command.under(perf.cmd().args(stat).arg(counts).arg("--")).run()?;
    let text = std::fs::read_to_string(counts).context("what perf counted")?;
    count_of(&text).with_context(|| format!("perf counted nothing: {text}"))
}

/// The line `COUNT,,EVENT,...` of `perf stat -x,`.
fn count_of(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

impl Display for EnginesReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.report)?;
        let head = ["per GiB", "CPU s", "system calls"].map(str::to_owned).to_vec();
        let rows = self.costs.iter().map(|cost| {
            let calls = cost.syscalls_per_gib.map_or_else(|| "?".into(), |it| format!("{it:.0}"));
            let name = format!("{} {}", cost.phase, cost.engine);
            vec![name, spread_cell(&cost.cpu_s_per_gib, 3), calls]
        });
        write_aligned(f, &std::iter::once(head).chain(rows).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_counts_is_read_and_what_it_cannot_count_is_not() {
        let line = |count| format!("# started\n\n{count},,raw_syscalls:sys_enter,12,100.00,,\n");
        assert_eq!(count_of(&line("1234")), Some(1234.0));
        assert_eq!(count_of(&line("<not counted>")), None);
        assert_eq!(count_of(""), None);
    }
}
