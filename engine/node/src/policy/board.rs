//! How space management stands, in a file beside the daemon's socket: for `dray policy show`, which
//! is not worth a message of the protocol.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::limits::{NOTE, NOTE_STALE};

/// What has been done in one managed directory since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Standings {
    /// Space is being made.
    pub short: bool,
    /// Candidates known: to archive, to release.
    pub to_archive: usize,
    pub to_release: usize,
    pub under_way: usize,
    pub archived_files: u64,
    pub archived_bytes: u64,
    pub released_files: u64,
    pub released_bytes: u64,
    /// What was done last, and the second of the epoch when.
    pub last: String,
    pub last_at: u64,
}

/// The file.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Note {
    /// Second of the epoch.
    pub at: u64,
    /// By managed directory.
    pub areas: BTreeMap<PathBuf, Standings>,
}

pub(super) fn epoch_seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Where the daemon with this socket notes it.
fn place(socket: &Path) -> PathBuf {
    let mut name = socket.file_name().unwrap_or_default().to_owned();
    name.push(".policy.json");
    socket.with_file_name(name)
}

impl Note {
    /// That of the daemon with this socket; none if it does not run, or manages nothing.
    pub fn read(socket: &Path) -> Option<Self> {
        let text = std::fs::read(place(socket)).ok()?;
        let note: Self = serde_json::from_slice(&text).ok()?;
        let old = Duration::from_secs(epoch_seconds().saturating_sub(note.at));
        (old <= NOTE_STALE).then_some(note)
    }
}

/// Where keepers say how they stand.
pub(super) struct Board {
    place: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    note: Note,
    written: Option<Instant>,
    closed: bool,
}

impl Board {
    pub(super) fn beside(socket: &Path) -> Self {
        Self { place: place(socket), kept: Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the file away: keepers may go on for a moment.
    pub(super) fn close(&self) {
        self.locked().closed = true;
        // It may never have been there.
        let _ = std::fs::remove_file(&self.place);
    }

    pub(super) fn set(&self, directory: &Path, standings: Standings) {
        let mut kept = self.locked();
        let Kept { note, written, closed } = &mut *kept;
        let old = note.areas.insert(directory.to_owned(), standings);
        let same = old.as_ref() == note.areas.get(directory);
        let fresh = written.is_some_and(|written| written.elapsed() < NOTE);
        if *closed || same && fresh {
            return;
        }
        note.at = epoch_seconds();
        *written = Some(Instant::now());
        if let Err(error) = self.write(note) {
            tracing::debug!(%error, place = %self.place.display(), "cannot note how space stands");
        }
    }

    /// Whole or not at all, but not durably: it is of this moment.
    fn write(&self, note: &Note) -> std::io::Result<()> {
        let new = self.place.with_extension("json.new");
        std::fs::write(&new, serde_json::to_vec_pretty(note)?)?;
        std::fs::rename(&new, &self.place)
    }
}
