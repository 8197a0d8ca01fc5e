//! Making a manifest from what is known of a file.

use std::path::{Path, PathBuf};

use dray_archive::{Extent, FileRecord, PartRef};
use dray_io::limits::BLOCK;
use dray_io::{Context, Files, Kind, Operation, PackedTime, Range, Stat, Time};

use crate::error::{Error, Result};

/// The manifest of a file as `stat` found it, without data.
pub(crate) fn manifest<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
    stat: &Stat,
    archived: Time,
) -> Result<FileRecord> {
    let target = match stat.kind {
        Kind::Symlink => files.read_link(file).during(Operation::Read, path)?,
        _ => Vec::new(),
    };
    let xattrs = files.xattrs(file).during(Operation::ReadAttribute, path)?;
    Ok(FileRecord {
        handle: stat.handle,
        kind: stat.kind,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        links: stat.links,
        size: if stat.kind == Kind::File { stat.size } else { 0 },
        rdev: stat.rdev,
        accessed: stat.accessed,
        modified: stat.modified,
        changed: stat.changed,
        born: stat.born,
        archived: PackedTime::from(archived),
        hash: None,
        path: PathBuf::from(path),
        target,
        xattrs,
        extents: Vec::<Extent>::new(),
        parts: Vec::<PartRef>::new(),
    })
}

/// The next stretch of data of a file, widened to whole blocks and cut at its size.
pub(crate) fn next_data<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
    from: u64,
    size: u64,
) -> Result<Option<Range>> {
    if from >= size {
        return Ok(None);
    }
    let data = files.next_data(file, from).during_at(Operation::MapExtents, path, from)?;
    // Blocks of a file system may be smaller than ours: holes less than a block are data.
    Ok(data.and_then(|range| range.widen(BLOCK, size).intersect(Range::new(from, size))))
}

/// Whether the same file is still as it was.
pub(crate) fn is_unchanged(before: &Stat, after: &Stat) -> bool {
    before.handle == after.handle
        && before.size == after.size
        && before.modified == after.modified
        && before.changed == after.changed
}

/// The error for a file that is not.
pub(crate) fn changed(path: &Path) -> Error {
    Error::Changed { path: path.to_owned() }
}
