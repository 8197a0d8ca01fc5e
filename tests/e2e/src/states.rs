//! What `dray state` tells.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The state of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub word: String,
    pub size: u64,
    pub allocated: u64,
    pub certain: Option<bool>,
    pub moving: bool,
    /// Ranges of bytes on disk, of a partial file.
    pub present: Vec<(u64, u64)>,
}

impl State {
    /// Whether the file's own bytes are what a reader is to have.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.word.as_str(), "resident" | "archived" | "dirty")
    }
}

/// By path.
#[derive(Debug, Clone, Default)]
pub struct States(pub BTreeMap<PathBuf, State>);

impl States {
    pub fn from_lines(lines: &[Value]) -> Self {
        Self(lines.iter().map(|line| (path(&line["path"]), state(line))).collect())
    }

    #[track_caller]
    pub fn of(&self, path: &Path) -> &State {
        self.0.get(path).unwrap_or_else(|| panic!("no state of {}", path.display()))
    }

    #[track_caller]
    pub fn word(&self, path: &Path) -> &str {
        &self.of(path).word
    }

    /// How many files are in one of these states.
    pub fn count(&self, words: &[&str]) -> usize {
        self.0.values().filter(|state| words.contains(&state.word.as_str())).count()
    }

    /// Demands one state of all files.
    #[track_caller]
    pub fn all(&self, word: &str) {
        for (path, state) in &self.0 {
            assert_eq!(state.word, word, "{}: {state:?}", path.display());
        }
    }
}

/// A path as `dray` puts it into JSON.
pub(crate) fn path(value: &Value) -> PathBuf {
    if let Some(text) = value.as_str() {
        return text.into();
    }
    let hex = value["hex"].as_str().unwrap_or_else(|| panic!("no path: {value}"));
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    OsString::from_vec((0..hex.len()).step_by(2).map(byte).collect()).into()
}

fn state(line: &Value) -> State {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {line}"));
    let ranges = line["present"].as_array().map(Vec::as_slice).unwrap_or_default();
    State {
        word: line["state"].as_str().expect("a state has a word").to_owned(),
        size: number(&line["size"]),
        allocated: number(&line["allocated"]),
        certain: line["certain"].as_bool(),
        moving: line["moving"].as_bool().unwrap_or(false),
        present: ranges.iter().map(|it| (number(&it[0]), number(&it[1]))).collect(),
    }
}
