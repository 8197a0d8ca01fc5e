use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use dray_results::Place;
use rustix::fs::{FallocateFlags, fallocate};

use crate::cold;
use crate::command::Cmd;
use crate::conditions;
use crate::data::{compare, make_file};
use crate::fio::{self, HugePool};
use crate::interrupt;
use crate::machine::Machine;
use crate::options::CopyOptions;
use crate::report::{Report, Role};
use crate::runner::{Contestant, Held, Meter, Phase, Runner};
use crate::scratch::{Scratch, remove};
use crate::tier::Tier;
use crate::tools::Tool;

const MIB: u64 = 1 << 20;
const SEED: u64 = 0x6472_6179;

/// Times `dray` and its rivals with one large file; `dray` is the program to run.
pub fn run_copy(options: &CopyOptions, dray: &Path) -> Result<Report> {
    interrupt::watch()?;
    let size = options.size.next_multiple_of(MIB);
    // Source, managed file and archive, and a little for the file system itself.
    let scratch = Scratch::new(&options.dir, size * 3 + size / 20 + 16 * MIB, options.keep)?;
    let device = Place::of(scratch.root())?;
    let machine = Machine::describe(scratch.root(), &device);
    let tools = Tools::find(dray);
    let workload = Workload {
        source: scratch.path("source"),
        target: scratch.path("target"),
        tier: scratch.path("tier"),
        size,
    };
    make_file(&workload.source, size, SEED)?;

    let mut conditions = conditions::common(options.keep.then(|| scratch.root()));
    let mut contestants = workload.contestants(&tools);
    if tools.fio.present() {
        let huge = HugePool::enlarge().map(drop);
        let pages = huge.as_ref().map_or_else(
            |error| format!("buffers in small pages ({error:#})"),
            |()| "buffers in 2 MiB pages".to_owned(),
        );
        conditions.push(format!(
            "fio is no rival but the limit: reading and writing at once, rate of the slower of \
             both by its own clock, up to {} MiB, {pages}",
            fio::MOST_BYTES / MIB
        ));
        contestants.push(workload.limit(&tools.fio, huge.is_ok()));
    }
    let chosen = |key: &str| options.only.is_empty() || options.only.iter().any(|name| name == key);
    contestants.retain(|contestant| contestant.key == "dray" || chosen(contestant.key));

    let drop_caches = cold::can_drop_caches();
    let runner = Runner { device, dir: scratch.root().into(), rounds: options.rounds, drop_caches };
    let series = runner.run(contestants)?;
    let mut report = Report {
        format: 1,
        workload: "copy".to_owned(),
        bytes: size,
        files: 1,
        rounds: options.rounds,
        conditions,
        machine,
        tools: tools.into_list(),
        fastest: Vec::new(),
        ratios: Vec::new(),
        series,
    };
    report.conclude(&[("archive", "copy"), ("restore", "copy")]);
    Ok(report)
}

struct Tools {
    dray: Tool,
    cp: Tool,
    dd: Tool,
    qemu: Tool,
    xcp: Tool,
    dcp: Tool,
    mpirun: Tool,
    rsync: Tool,
    fio: Tool,
}

impl Tools {
    fn find(dray: &Path) -> Self {
        Self {
            dray: Tool::at("dray", dray),
            cp: Tool::find("cp"),
            dd: Tool::find("dd"),
            qemu: Tool::find("qemu-img"),
            xcp: Tool::find("xcp"),
            dcp: Tool::find("dcp"),
            mpirun: Tool::find("mpirun"),
            rsync: Tool::find("rsync"),
            fio: Tool::find("fio"),
        }
    }

    fn into_list(self) -> Vec<Tool> {
        let Self { dray, cp, dd, qemu, xcp, dcp, mpirun, rsync, fio } = self;
        vec![dray, cp, dd, qemu, xcp, dcp, mpirun, rsync, fio]
    }
}

struct Workload {
    source: PathBuf,
    target: PathBuf,
    tier: PathBuf,
    size: u64,
}

impl Workload {
    fn contestants(&self, tools: &Tools) -> Vec<Contestant> {
        let buffered = self.size * 2;
        let plain = |tool: &Tool, options: &[&str]| {
            vec![tool.cmd().args(options).arg(&self.source).arg(&self.target)]
        };
        let mut list = vec![
            self.copier("dray", Role::Dray, 0, plain(&tools.dray, &["copy"])),
            self.archiver(&tools.dray),
        ];
        let mut rival = |present: bool, key, touch, commands| {
            if present {
                list.push(self.copier(key, Role::Rival, touch, commands));
            }
        };
        let cp = plain(&tools.cp, &["--reflink=never", "--sparse=never"]);
        rival(tools.cp.present(), "cp", buffered, cp);
        rival(tools.dd.present(), "dd", 0, vec![self.dd(&tools.dd)]);
        let qemu =
            ["convert", "-f", "raw", "-O", "raw", "-m", "16", "-W", "-T", "none", "-t", "none"];
        rival(tools.qemu.present(), "qemu-img-threads", 0, plain(&tools.qemu, &qemu));
        rival(tools.qemu.present(), "qemu-img-io_uring", 0, self.qemu_ring(&tools.qemu));
        let xcp = plain(&tools.xcp, &["--no-progress", "--driver", "parfile"]);
        rival(tools.xcp.present(), "xcp", buffered, xcp);
        rival(tools.dcp.present() && tools.mpirun.present(), "dcp", 0, vec![self.dcp(tools)]);
        let rsync = plain(&tools.rsync, &["--whole-file", "--inplace"]);
        rival(tools.rsync.present(), "rsync", buffered, rsync);
        list
    }

    fn copier(&self, key: &'static str, role: Role, touch: u64, commands: Vec<Cmd>) -> Contestant {
        let (source, target, made) =
            (self.source.clone(), self.target.clone(), self.target.clone());
        let phase = Phase {
            name: "copy",
            meter: Meter::Bytes(self.size),
            setup: Box::new(|| Ok(Box::new(()) as Held)),
            commands,
            check: Box::new(move |full| if full { compare(&source, &target) } else { Ok(()) }),
        };
        let clean = Box::new(move || remove(&made));
        Contestant { key, name: key, role, touch, phases: vec![phase], clean }
    }

    fn archiver(&self, dray: &Tool) -> Contestant {
        let tier = Tier::new(dray, self.tier.clone(), self.size);
        let (size, source) = (self.size, self.source.clone());
        let phases = tier.phases(
            Meter::Bytes(size),
            Box::new(move |path| make_file(path, size, SEED)),
            Box::new(move |path| compare(&source, path)),
        );
        let clean = Box::new(move || Rc::clone(&tier).clean());
        Contestant { key: "archive", name: "dray", role: Role::Dray, touch: 0, phases, clean }
    }

    fn dd(&self, dd: &Tool) -> Cmd {
        let named = |side: &str, path: &Path| format!("{side}={}", path.display());
        dd.cmd().args([named("if", &self.source), named("of", &self.target)]).args([
            "bs=16M",
            "iflag=direct",
            "oflag=direct",
            "conv=fsync",
            "status=none",
        ])
    }

    /// Ring on both sides; that needs a target which is there already, made on the clock.
    fn qemu_ring(&self, qemu: &Tool) -> Vec<Cmd> {
        let image = |path: &Path| {
            let name = path.display().to_string().replace(',', ",,");
            format!(
                "driver=raw,file.driver=file,file.filename={name},file.aio=io_uring,cache.direct=on"
            )
        };
        let create = qemu.cmd().args(["create", "-q", "-f", "raw"]);
        let create = create.arg(&self.target).arg(self.size.to_string());
        let convert =
            qemu.cmd().args(["convert", "-n", "-m", "16", "-W", "-T", "none", "-t", "none"]);
        let convert = convert.args(["--image-opts", "--target-image-opts"]);
        vec![create, convert.args([image(&self.source), image(&self.target)])]
    }

    fn dcp(&self, tools: &Tools) -> Cmd {
        let ranks = std::thread::available_parallelism().map_or(2, |n| n.get().max(2)).to_string();
        tools
            .mpirun
            .cmd()
            .args(["--allow-run-as-root", "--oversubscribe", "-np", &ranks])
            .arg(&tools.dcp.name)
            .arg("-s")
            .args([&self.source, &self.target])
    }

    fn limit(&self, fio: &Tool, huge: bool) -> Contestant {
        let command = fio::command(fio, huge, &self.source, &self.target, self.size);
        let (target, made) = (self.target.clone(), self.target.clone());
        let size = self.size.min(fio::MOST_BYTES);
        let setup = move || {
            let file = File::create(&target).context("target of fio")?;
            fallocate(&file, FallocateFlags::empty(), 0, size).context("target of fio")?;
            file.sync_all()?;
            Ok(Box::new(if huge { Some(HugePool::enlarge()?) } else { None }) as Held)
        };
        let phase = Phase {
            name: "copy",
            meter: Meter::Fio,
            setup: Box::new(setup),
            commands: vec![command],
            check: Box::new(|_| Ok(())),
        };
        let clean = Box::new(move || remove(&made));
        Contestant {
            key: "fio",
            name: "fio",
            role: Role::Limit,
            touch: 0,
            phases: vec![phase],
            clean,
        }
    }
}
