//! Looking at what a walk finds, before it is asked for.

use std::path::PathBuf;

use dray_fs::{LinuxFile, LinuxFiles};
use dray_io::{Access, Context, Fault, Files, Kind, Operation};
use dray_mover::{Attribute, Entry};
use dray_wire::Verb;

/// What is under a name.
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) links: u32,
    pub(crate) size: u64,
    /// The LUN or volume and the byte on it that the data is at; zeros where that is not known.
    pub(crate) place: (u64, u64),
}

/// Entries that one thread looks at: what a thread costs must not show.
const LOOKS: usize = 32;

/// Looks at many entries at once, since each look may wait for the disk; in their order.
pub(crate) fn look_all(
    files: &LinuxFiles,
    verb: Verb,
    entries: Vec<Result<Entry, Fault>>,
) -> Vec<Result<Found, (PathBuf, Fault)>> {
    let mut rest = entries.into_iter();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        loop {
            let some: Vec<_> = rest.by_ref().take(LOOKS).collect();
            if some.is_empty() {
                break;
            }
            threads.push(scope.spawn(move || {
                let looks = some.into_iter().map(|entry| {
                    let found = entry.and_then(|entry| look(files, verb, entry));
                    found.map_err(|fault| (fault.path.clone(), fault))
                });
                looks.collect::<Vec<_>>()
            }));
        }
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|found| found.unwrap_or_else(|it| std::panic::resume_unwind(it))).collect()
    })
}

fn look(files: &LinuxFiles, verb: Verb, entry: Entry) -> Result<Found, Fault> {
    let path = entry.path.as_path();
    // What comes back is moved in the order of the archive, all else in that of the inodes.
    let by_archive = verb == Verb::RESTORE;
    let access = if by_archive { Access::Look } else { Access::Inspect };
    let file = files.open(path, access).during(Operation::Open, path)?;
    let stat = files.stat(&file).during(Operation::Stat, path)?;
    let place = by_archive.then(|| place_of(files, &file)).flatten().unwrap_or_default();
    let size = if stat.kind == Kind::File { stat.size } else { 0 };
    let (kind, handle) = (stat.kind, Some(stat.handle));
    Ok(Found { entry: Entry { kind, handle, ..entry }, links: stat.links, size, place })
}

/// Where the archive has a file. Whether the attribute is right is for the node to say.
fn place_of(files: &LinuxFiles, file: &LinuxFile) -> Option<(u64, u64)> {
    let attribute = Attribute::decode(&files.attribute(file).ok()??).ok()?;
    Some((u64::from(attribute.manifest.volume) + 1, attribute.manifest.at))
}
