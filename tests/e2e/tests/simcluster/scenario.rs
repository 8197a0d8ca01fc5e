//! What is simulated, as files tell it: numbers, chances of faults, the mix of work.

use std::path::PathBuf;

use serde::Deserialize;

/// Chances are per mille, times milliseconds of the simulated clock.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) coordinators: usize,
    /// What is promised is kept in a store, and who coordinates is elected there.
    #[serde(default)]
    pub(crate) durable: bool,
    pub(crate) nodes: usize,
    /// Programs that ask for movements, that bring files back for readers, that hold rights, and
    /// that read.
    pub(crate) movers: usize,
    pub(crate) front_ends: usize,
    pub(crate) holders: usize,
    pub(crate) readers: usize,
    pub(crate) files: usize,
    pub(crate) file_bytes: u64,
    /// Bytes from which files are split, and of their parts; 0: never.
    #[serde(default)]
    pub(crate) split_bytes: u64,
    /// How long there are work and faults.
    pub(crate) busy_ms: u64,
    pub(crate) network: Network,
    pub(crate) faults: Faults,
    pub(crate) mix: Mix,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// Microseconds that a message is under way, at least and at most.
    pub(crate) delay_us: [u64; 2],
    /// That a message is lost, and with it the connection.
    pub(crate) cut: u64,
    /// That the store gets a question twice, or a coordinator its answer.
    #[serde(default)]
    pub(crate) duplicate: u64,
}

/// The first ones are looked at every quarter of a second; those in a step at each step of a
/// movement, message to a coordinator, answer of the store to one just elected, write to the store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) partition: u64,
    pub(crate) node_crash: u64,
    pub(crate) client_crash: u64,
    pub(crate) coordinator_crash: u64,
    pub(crate) coordinator_pause: u64,
    pub(crate) power_failure: u64,
    pub(crate) crash_in_step: u64,
    pub(crate) pause_in_step: u64,
    #[serde(default)]
    pub(crate) coordinator_in_step: u64,
    #[serde(default)]
    pub(crate) crash_in_recovery: u64,
    #[serde(default)]
    pub(crate) store_crash: u64,
    #[serde(default)]
    pub(crate) store_in_write: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mix {
    pub(crate) archive: u64,
    pub(crate) release: u64,
    pub(crate) restore: u64,
    pub(crate) remove: u64,
    /// In a hundred things that a program does.
    pub(crate) cancel: u64,
    /// Milliseconds between what one program does and the next, at most.
    pub(crate) think_ms: u64,
    /// Milliseconds between what users write.
    pub(crate) write_ms: u64,
}

impl Mix {
    pub(crate) fn weights(&self) -> [u64; 4] {
        [self.archive, self.release, self.restore, self.remove]
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The names of all scenarios, sorted.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let names = files.filter(|path| path.extension().is_some_and(|it| it == "toml"));
    let mut names: Vec<String> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

pub(crate) fn load(name: &str) -> Scenario {
    let path = folder().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
