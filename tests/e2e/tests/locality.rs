//! What it is worth to move files in the order in which their data lies: the mover alone, given
//! the same files in order and at random. The coordinator gives them in order.
//!
//! The recorded form is `cargo xtask locality`.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dray_archive::{Archive, VolumePlace};
use dray_e2e::{Place, Rng, assert_content, is_root, write_file};
use dray_fs::LinuxFiles;
use dray_io::{Access, Fault, Files, Kind, World};
use dray_mover::{
    ArchiveOptions, Attribute, Entry, Error, RestoreOptions, Run, Tally, Watch, archive, release,
    restore,
};
use dray_node::{Machine, MachineOptions};
use serde_json::{Value, json};

const PER_DIRECTORY: u64 = 100;
/// Bytes of a file at most, and of a request.
const LARGEST: u64 = 64 << 10;
const UNIT: u32 = 1 << 20;

struct Loud;

impl Watch for Loud {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }
}

/// A tree, an archive of it, and who moves.
struct Scene {
    place: Place,
    machine: Machine,
    tier: Archive<LinuxFiles>,
    names: Vec<PathBuf>,
}

fn size(index: u64) -> u64 {
    1024 + Rng::new(index).below(LARGEST - 1024)
}

impl Scene {
    fn new(files: u64) -> Self {
        let place = Place::bare();
        let machine = Machine::new(&MachineOptions { cores: 1, ..MachineOptions::default() });
        fs::create_dir(&place.archive).unwrap();
        let volumes =
            VolumePlace::Directory { path: place.archive.clone(), volume_bytes: 64 << 30 };
        Archive::create(machine.files(), &volumes, [5; 16], &[]).unwrap();
        let tier = Archive::open(machine.files(), &volumes).unwrap();
        let mut names = Vec::new();
        for index in 0..files {
            let folder = place.fs.join(format!("d{:04}", index / PER_DIRECTORY));
            fs::create_dir_all(&folder).unwrap();
            let name = folder.join(format!("f{index:06}"));
            write_file(&name, index, size(index));
            names.push(name);
        }
        Self { place, machine, tier, names }
    }

    /// All names, by what `key` says of each or, with chances, in no order at all.
    fn feed<K: Ord>(&self, chances: Option<Rng>, key: impl Fn(&Path) -> K) -> Vec<PathBuf> {
        let mut names = self.names.clone();
        match chances {
            Some(mut chances) => names.sort_by_cached_key(|_| chances.number()),
            None => names.sort_by_cached_key(|name| key(name)),
        }
        names
    }

    /// Where the archive has a file.
    fn archived_at(&self, name: &Path) -> (u32, u64) {
        let files = self.machine.files();
        let bytes = files.attribute(&files.open(name, Access::Look).unwrap()).unwrap().unwrap();
        let manifest = Attribute::decode(&bytes).unwrap().manifest;
        (manifest.volume, manifest.at)
    }

    /// Does it with nothing in memory and all of it on the device in the end: seconds, and
    /// requests that the device had.
    fn timed(&self, names: Vec<PathBuf>, what: &str) -> Value {
        rustix::fs::sync();
        if is_root() {
            fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
        }
        let (before, began) = (self.requests(), Instant::now());
        self.act(names, what);
        rustix::fs::syncfs(fs::File::open(&self.place.fs).unwrap()).unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let requests = before.zip(self.requests()).map(|(before, after)| after - before);
        json!({ "seconds": seconds, "requests": requests })
    }

    fn act(&self, names: Vec<PathBuf>, what: &str) {
        let mut feed = names.into_iter().map(|name| Ok::<_, Fault>(Entry::new(name, Kind::File)));
        let (tally, machine, tier) = (Tally::default(), &self.machine, &self.tier);
        let run = Run { tally: &tally, watch: &Loud };
        match what {
            "archive" => {
                let options = ArchiveOptions { hash: false, unit: UNIT };
                archive(machine, tier, &mut feed, options, &run).unwrap();
            }
            "release" => release(machine, tier, &mut feed, &run).unwrap(),
            _ => restore(machine, tier, &mut feed, RestoreOptions::new(UNIT), &run).unwrap(),
        }
    }

    /// Requests that the device below has had, where there is one that counts them.
    fn requests(&self) -> Option<u64> {
        let device = fs::metadata(&self.place.fs).unwrap().dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let text = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
        let numbers: Vec<u64> =
            text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        Some(numbers[0] + numbers[4])
    }

    /// Both ways, a tree made for this.
    fn round(files: u64, chances: Option<Rng>) -> Value {
        let scene = Self::new(files);
        let by_inode = scene.feed(chances.clone(), |name| fs::metadata(name).unwrap().ino());
        let out = scene.timed(by_inode, "archive");
        scene.act(scene.names.clone(), "release");
        let by_archive = scene.feed(chances, |name| scene.archived_at(name));
        let back = scene.timed(by_archive, "restore");
        for (index, name) in (0..).zip(&scene.names) {
            assert_content(name, index, size(index));
        }
        scene.tier.close(scene.machine.files()).unwrap();
        json!({ "archive": out, "restore": back })
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn files_in_order_and_at_random_come_back_the_same() {
    let files = number("DRAY_LOCALITY_FILES", 300);
    let rounds = number("DRAY_LOCALITY_ROUNDS", 1);
    let mut found = Vec::new();
    for round in 0..rounds {
        let random = || Scene::round(files, Some(Rng::new(round + 1)));
        let ordered = || Scene::round(files, None);
        // Each comes first in turn.
        let (ordered, random) = if round % 2 == 0 {
            let ordered = ordered();
            (ordered, random())
        } else {
            let random = random();
            (ordered(), random)
        };
        for what in ["archive", "restore"] {
            let seconds = |of: &Value| of[what]["seconds"].as_f64().unwrap();
            println!(
                "{what}: in order {}, at random {}: {:.2}x the speed",
                ordered[what],
                random[what],
                seconds(&random) / seconds(&ordered)
            );
        }
        found.push(json!({ "in_order": ordered, "at_random": random }));
    }
    if let Some(out) = std::env::var_os("DRAY_LOCALITY_OUT") {
        let report = json!({ "files": files, "rounds": found });
        fs::write(out, format!("{report:#}\n")).unwrap();
    }
}
