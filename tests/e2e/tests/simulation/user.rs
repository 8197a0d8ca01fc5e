//! A user who does one thing to one file. He meets the mover's leases as the kernel would have him
//! do: who opens a leased file waits.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dray_io::{Access, Files, Range};
use dray_sim::{Sim, SimFile};

use crate::world::{Scene, content};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// All of it, same size.
    Overwrite,
    /// The same, and the time put back.
    OverwriteQuietly,
    /// A few bytes in the middle.
    Touch,
    TouchQuietly,
    /// Zeros where there was data.
    Clear,
    Append,
    Truncate,
    /// Opened with `O_TRUNC` and written anew to the same size.
    Rewrite,
    /// Another file takes the name.
    Replace,
    Delete,
}

/// Operations of the mover for which a lease holds off a user who waits. It looks at its lease
/// before an operation: the user must not be quicker than that one.
const LAPSE: u64 = 2;

/// Nanoseconds that the mover stands still before a deed that puts the time back.
const PAUSE: u64 = 60_000_000;

pub(crate) const DEEDS: [Deed; 10] = [
    Deed::Overwrite,
    Deed::OverwriteQuietly,
    Deed::Touch,
    Deed::TouchQuietly,
    Deed::Clear,
    Deed::Append,
    Deed::Truncate,
    Deed::Rewrite,
    Deed::Replace,
    Deed::Delete,
];

pub(crate) struct User {
    deed: Deed,
    pub(crate) path: PathBuf,
    /// Opened before the run began.
    pub(crate) held: Option<SimFile>,
    before: Vec<u8>,
    modified: dray_io::Time,
    pub(crate) done: Option<Left>,
}

/// What the user counts on from now on.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    /// `None` if the name is gone.
    pub(crate) content: Option<Vec<u8>>,
    /// The bytes that only the user has had.
    pub(crate) own: Range,
}

impl User {
    pub(crate) fn new(scene: &Scene, deed: Deed) -> Self {
        let subject = scene.expected("subject");
        Self {
            deed,
            path: subject.path.clone(),
            held: None,
            before: subject.content.to_vec(),
            modified: subject.modified,
            done: None,
        }
    }

    pub(crate) fn act(&mut self, sim: &Sim) -> bool {
        let left = match self.deed {
            Deed::Replace => self.replace(sim),
            Deed::Delete => {
                sim.tree().remove(&self.path);
                Left { content: None, own: Range::default() }
            }
            _ => {
                let opened = match self.held.take() {
                    Some(file) => Ok(file),
                    None => sim.open(&self.path, Access::Write),
                };
                match opened {
                    Ok(file) => self.change(sim, &file),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                    Err(error) => panic!("the user cannot open the file: {error}"),
                }
            }
        };
        self.done = Some(left);
        true
    }

    fn replace(&self, sim: &Sim) -> Left {
        let (new, own) = (content(7, self.before.len()), Range::new(0, self.before.len() as u64));
        sim.tree().write_file("/data/new", &new);
        sim.tree().rename("/data/new", &self.path);
        Left { content: Some(new), own }
    }

    fn change(&self, sim: &Sim, file: &SimFile) -> Left {
        let quiet = matches!(self.deed, Deed::OverwriteQuietly | Deed::TouchQuietly);
        if quiet {
            // Within the stamp's window a time put back goes unseen: `standing.rs` says so.
            sim.advance(PAUSE);
        }
        let size = self.before.len();
        let (at, bytes) = match self.deed {
            Deed::Touch | Deed::TouchQuietly => (10_000, content(8, 300)),
            Deed::Clear => (10_000, vec![0; 5000]),
            Deed::Append => (size, content(9, 100)),
            Deed::Truncate => (3000, Vec::new()),
            _ => (0, content(7, size)),
        };
        let mut logical = self.before.clone();
        match self.deed {
            Deed::Truncate => {
                sim.truncate(file, at as u64).unwrap();
                logical.truncate(at);
            }
            Deed::Rewrite => sim.truncate(file, 0).unwrap(),
            _ => {}
        }
        sim.write_at(file, &bytes, at as u64).unwrap();
        logical.resize(logical.len().max(at + bytes.len()), 0);
        logical[at..at + bytes.len()].copy_from_slice(&bytes);
        if quiet {
            sim.set_modified(file, self.modified).unwrap();
        }
        let own = Range::new(at as u64, (at + bytes.len()) as u64);
        Left { content: Some(logical), own }
    }
}

/// Sends the user in before operation `number`; one who meets a lease tries again.
/// The same, but a user who meets a lease waits until it has lapsed.
pub(crate) fn send_to_wait(sim: &Sim, user: Arc<Mutex<User>>, number: u64) {
    sim.at_operation(number, move |sim| {
        if user.lock().unwrap().act(sim) {
            return;
        }
        sim.at_operation(sim.operations() + LAPSE, move |sim| {
            sim.end_leases();
            assert!(user.lock().unwrap().act(sim), "a lease that has lapsed is in the way");
        });
    });
}

pub(crate) fn send(sim: &Sim, user: Arc<Mutex<User>>, number: u64) {
    sim.at_operation(number, move |sim| {
        let done = user.lock().unwrap().act(sim);
        if !done {
            send(sim, user, sim.operations() + 1);
        }
    });
}
