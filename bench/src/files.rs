use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use dray_results::Place;

use crate::cold;
use crate::command::Cmd;
use crate::conditions;
use crate::interrupt;
use crate::machine::Machine;
use crate::options::FilesOptions;
use crate::report::{Report, Role};
use crate::runner::{Contestant, Held, Meter, Phase, Runner};
use crate::scratch::{Scratch, remove};
use crate::tier::Tier;
use crate::tools::Tool;
use crate::tree::Tree;

const MIB: u64 = 1 << 20;
const SEED: u64 = 0x7472_6565;
/// Inode, directory entries and a part of a block per file, with room to spare.
const PER_FILE: u64 = 8 << 10;

/// Times `dray` and its rivals with a tree of small files; `dray` is the program to run.
pub fn run_files(options: &FilesOptions, dray: &Path) -> Result<Report> {
    interrupt::watch()?;
    ensure!(options.min <= options.max, "--min is larger than --max");
    let tree = Tree { count: options.count, min: options.min, max: options.max, seed: SEED };
    let room = tree.bytes() + u64::from(tree.count) * PER_FILE;
    // The tree, an archive of it, and the tree again.
    let scratch = Scratch::new(&options.dir, room * 3 + 64 * MIB, options.keep)?;
    let device = Place::of(scratch.root())?;
    let machine = Machine::describe(scratch.root(), &device);
    let tools = [
        Tool::at("dray", dray),
        Tool::find("tar"),
        Tool::find("xcp"),
        Tool::find("cp"),
        Tool::find("rsync"),
    ];

    let mut conditions = conditions::common(options.keep.then(|| scratch.root()));
    conditions.push(format!(
        "{} files of {} to {} bytes, 100 to a directory, made anew for each mover in each round",
        tree.count, tree.min, tree.max
    ));
    conditions.push(
        "dray restores into its released files, tar into an empty directory; contents, mode and \
         mtime are compared"
            .to_owned(),
    );
    let workload = Workload { root: scratch.root().to_owned(), tree, touch: room * 2 };
    let mut contestants = workload.contestants(&tools);
    let chosen = |key: &str| options.only.is_empty() || options.only.iter().any(|name| name == key);
    contestants.retain(|contestant| contestant.key == "dray" || chosen(contestant.key));

    let drop_caches = cold::can_drop_caches();
    let runner = Runner { device, dir: scratch.root().into(), rounds: options.rounds, drop_caches };
    let series = runner.run(contestants)?;
    let mut report = Report {
        format: 1,
        workload: "files".to_owned(),
        bytes: tree.bytes(),
        files: u64::from(tree.count),
        rounds: options.rounds,
        conditions,
        machine,
        tools: tools.into(),
        fastest: Vec::new(),
        ratios: Vec::new(),
        series,
    };
    report.conclude(&[]);
    Ok(report)
}

struct Workload {
    root: PathBuf,
    tree: Tree,
    /// Small files go through the page cache on every side, so all get the same.
    touch: u64,
}

impl Workload {
    fn contestants(&self, tools: &[Tool; 5]) -> Vec<Contestant> {
        let [dray, tar, xcp, cp, rsync] = tools;
        let mut list = vec![self.dray(dray)];
        if tar.present() {
            list.push(self.tar(tar));
        }
        let (source, target) = (self.path("source"), self.path("target"));
        let plain =
            |tool: &Tool, options: &[&str]| tool.cmd().args(options).arg(&source).arg(&target);
        if xcp.present() {
            list.push(self.copier("xcp", plain(xcp, &["--no-progress", "-r"])));
        }
        if cp.present() {
            list.push(self.copier("cp", plain(cp, &["-a"])));
        }
        if rsync.present() {
            let inside = source.join("");
            list.push(self.copier("rsync", rsync.cmd().arg("-a").args([&inside, &target])));
        }
        list
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn meter(&self) -> Meter {
        Meter::Files(u64::from(self.tree.count))
    }

    fn dray(&self, dray: &Tool) -> Contestant {
        let tier = Tier::new(dray, self.path("tier"), self.tree.bytes());
        let tree = self.tree;
        let phases = tier.phases(
            self.meter(),
            Box::new(move |path| tree.make(path)),
            Box::new(move |path| tree.check(path)),
        );
        let clean = Box::new(move || tier.clean());
        Contestant { key: "dray", name: "dray", role: Role::Dray, touch: self.touch, phases, clean }
    }

    fn tar(&self, tar: &Tool) -> Contestant {
        let (tree, source) = (self.tree, self.path("source"));
        let (archive, target) = (self.path("source.tar"), self.path("target"));
        let (packed, extracted) = (archive.clone(), target.join("source"));
        let least = tree.bytes();
        let pack = Phase {
            name: "archive",
            meter: self.meter(),
            setup: self.fresh_source(),
            commands: vec![
                tar.cmd().arg("-cf").arg(&archive).arg("-C").arg(&self.root).arg("source"),
            ],
            check: Box::new(move |_| {
                let length = fs::metadata(&packed)?.len();
                ensure!(length > least, "the archive has only {length} bytes");
                Ok(())
            }),
        };
        let empty = target.clone();
        let extract = Phase {
            name: "restore",
            meter: self.meter(),
            setup: Box::new(move || {
                fs::create_dir(&empty).context("empty directory")?;
                Ok(Box::new(()) as Held)
            }),
            commands: vec![tar.cmd().arg("-xpf").arg(&archive).arg("-C").arg(&target)],
            check: Box::new(move |full| if full { tree.check(&extracted) } else { Ok(()) }),
        };
        let clean =
            Box::new(move || [&source, &archive, &target].into_iter().try_for_each(|p| remove(p)));
        self.rival("tar", vec![pack, extract], clean)
    }

    fn copier(&self, key: &'static str, command: Cmd) -> Contestant {
        let (tree, source, target) = (self.tree, self.path("source"), self.path("target"));
        let made = target.clone();
        let phase = Phase {
            name: "archive",
            meter: self.meter(),
            setup: self.fresh_source(),
            commands: vec![command],
            check: Box::new(move |full| if full { tree.check(&made) } else { Ok(()) }),
        };
        let clean = Box::new(move || [&source, &target].into_iter().try_for_each(|p| remove(p)));
        self.rival(key, vec![phase], clean)
    }

    /// Every mover reads a tree laid out just now, as dray has to.
    fn fresh_source(&self) -> Box<dyn Fn() -> Result<Held>> {
        let (tree, source) = (self.tree, self.path("source"));
        Box::new(move || {
            tree.make(&source)?;
            Ok(Box::new(()) as Held)
        })
    }

    fn rival(
        &self,
        key: &'static str,
        phases: Vec<Phase>,
        clean: Box<dyn Fn() -> Result<()>>,
    ) -> Contestant {
        Contestant { key, name: key, role: Role::Rival, touch: self.touch, phases, clean }
    }
}
