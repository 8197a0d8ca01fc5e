//! Going through a tree with all hands, and what it holds.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dray_io::{Access, Aligned, Context, Fault, Files, Handle, Kind, Operation, Stat, World};
use dray_mover::{Entry, Walk, standing};
use dray_node::Machine;
use serde_json::{Value, json};

/// Entries that a hand takes at a time.
const HANDFUL: usize = 8;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `job` for everything at and below `root`. Each hand has a buffer of its own.
pub(super) fn each_entry(
    machine: &Machine,
    root: &Path,
    job: &(dyn Fn(&Entry, &mut Aligned) + Sync),
    failed: &(dyn Fn(Fault) + Sync),
) {
    let walk = Mutex::new(Walk::new(machine.files(), vec![root.to_owned()], Vec::new()));
    machine.hands(&|_| {
        let mut buffer = Aligned::new(0);
        loop {
            let handful: Vec<_> = lock(&walk).by_ref().take(HANDFUL).collect();
            if handful.is_empty() {
                break;
            }
            for found in handful {
                match found {
                    Ok(entry) => job(&entry, &mut buffer),
                    Err(fault) => failed(fault),
                }
            }
        }
    });
}

/// What a tree holds.
#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) files: u64,
    pub(super) directories: u64,
    /// Symbolic links, fifos, sockets, devices.
    pub(super) others: u64,
    /// Of files, each counted once.
    pub(super) bytes: u64,
    /// Bytes on disk of everything.
    pub(super) allocated: u64,
    /// Files by the word for their state.
    pub(super) states: BTreeMap<&'static str, u64>,
    /// What could not be looked at.
    pub(super) failed: u64,
    several_names: HashSet<Handle>,
}

impl Census {
    /// Counts; the states too if they are wanted, for which files are opened.
    pub(super) fn take(machine: &Machine, root: &Path, states: bool) -> Self {
        let census = Mutex::new(Self::default());
        let job = |entry: &Entry, _: &mut Aligned| {
            let seen = look(machine.files(), entry, states);
            let mut census = lock(&census);
            match seen {
                Ok((stat, word)) => census.add(&stat, word),
                Err(_) => census.failed += 1,
            }
        };
        each_entry(machine, root, &job, &|_| lock(&census).failed += 1);
        census.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> u64 {
        self.files + self.directories + self.others
    }

    pub(super) fn state(&self, word: &str) -> u64 {
        self.states.get(word).copied().unwrap_or(0)
    }

    fn add(&mut self, stat: &Stat, word: Option<&'static str>) {
        match stat.kind {
            Kind::File => self.files += 1,
            Kind::Directory => self.directories += 1,
            _ => self.others += 1,
        }
        if let Some(word) = word {
            *self.states.entry(word).or_default() += 1;
        }
        let several = stat.kind != Kind::Directory && stat.links > 1;
        if several && !self.several_names.insert(stat.handle) {
            return;
        }
        self.allocated += stat.allocated;
        if stat.kind == Kind::File {
            self.bytes += stat.size;
        }
    }

    pub(super) fn states_text(&self) -> String {
        let words: Vec<String> =
            self.states.iter().map(|(word, count)| format!("{count} {word}")).collect();
        words.join(", ")
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "files": self.files,
            "directories": self.directories,
            "others": self.others,
            "bytes": self.bytes,
            "allocated_bytes": self.allocated,
            "states": self.states,
        })
    }
}

fn look(
    files: &dray_fs::LinuxFiles,
    entry: &Entry,
    states: bool,
) -> dray_mover::Result<(Stat, Option<&'static str>)> {
    let path = entry.path.as_path();
    if states && entry.kind == Kind::File {
        let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
        let (stat, standing) = standing(files, &file, path)?;
        return Ok((stat, Some(standing.word())));
    }
    let file = files.open(path, Access::Inspect).during(Operation::Open, path)?;
    Ok((files.stat(&file).during(Operation::Stat, path)?, None))
}
