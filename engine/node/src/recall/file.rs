//! What an access needs of its file before it may go on.

use std::path::Path;

use dray_fs::{LinuxFile, LinuxFiles};
use dray_holder::Doing;
use dray_io::limits::{RECALL_INLINE, TRIPWIRE};
use dray_io::{Files, Handle, Range, Stat};
use dray_mover::{Standing, standing};
use rustix::io::Errno;

use super::cut::{self, Seen};

/// How an access stands.
#[derive(Debug)]
pub(crate) enum Need {
    /// Nothing, or it cannot be had.
    Answer(Result<(), Errno>),
    Data(Data),
    /// No data, but that nobody moves this file meanwhile: it is, or will be, cut to nothing, and
    /// what comes back would make it longer again.
    Still(Handle),
    /// Nothing: nobody moves this file, so it may be cut to nothing.
    Cut(Handle),
}

/// A range of a file, which is so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub(crate) handle: Handle,
    pub(crate) range: Range,
    pub(crate) size: u64,
}

impl Data {
    /// With what another needs, if both are had soon.
    pub(crate) fn with(self, other: Range) -> Self {
        let start = self.range.start.min(other.start);
        let end = self.range.end.max(other.end);
        let range = Range::new(start, end);
        let near = range.len() <= RECALL_INLINE.max(self.range.len()).max(other.len());
        if near { Self { range, ..self } } else { self }
    }
}

/// Whether no more is read than the block that a release has left: whoever does that may have found
/// that there is no other data.
fn trips(files: &LinuxFiles, file: &LinuxFile, accessed: Range) -> bool {
    let first = || files.next_data(file, 0).ok().flatten();
    accessed.len() <= TRIPWIRE && first().is_none_or(|first| first.start == accessed.start)
}

/// How a file stands, after what could be done to one that was cut or grown unseen.
fn seen(files: &LinuxFiles, file: &LinuxFile) -> Result<(Stat, Seen), Errno> {
    // Only for messages.
    let path = Path::new("an accessed file");
    let (stat, standing) = standing(files, file, path).map_err(|error| {
        tracing::error!("an access is refused: {error}");
        Errno::IO
    })?;
    let seen = cut::see_to(files, file, &stat, standing).map_err(|error| {
        tracing::error!(inode = stat.handle.inode, "cut or grown unseen: {error}");
        Errno::IO
    })?;
    Ok((stat, seen))
}

/// What an access needs now. `accessed` is what the kernel says that it touches; `is_still` tells
/// whether nobody moves a file.
pub(crate) fn need(
    files: &LinuxFiles,
    file: &LinuxFile,
    (doing, accessed): (Doing, Range),
    is_still: impl Fn(Handle) -> bool,
) -> Need {
    if doing == Doing::Opening {
        return Need::Answer(Ok(()));
    }
    let (stat, seen) = match seen(files, file) {
        Ok(seen) => seen,
        Err(errno) => return Need::Answer(Err(errno)),
    };
    let (handle, size) = (stat.handle, stat.size);
    let may_cut = || if is_still(handle) { Need::Cut(handle) } else { Need::Still(handle) };
    let standing = match seen {
        Seen::As(standing) => standing,
        Seen::Whole(_) if doing == Doing::Cutting(0) => return may_cut(),
        Seen::Whole(size) => {
            return Need::Data(Data { handle, range: Range::new(0, size), size });
        }
    };
    let attribute = match standing {
        Standing::Away { .. } | Standing::Overwritten(_) if doing == Doing::Cutting(0) => {
            return may_cut();
        }
        Standing::Away { attribute, .. } => attribute,
        Standing::Overwritten(_) if size == 0 && !is_still(handle) => return Need::Still(handle),
        Standing::Overwritten(_) if size == 0 => return Need::Answer(forget(files, file)),
        Standing::Overwritten(_) => {
            let inode = handle.inode;
            tracing::error!(inode, "not what was released any more: an access is refused");
            return Need::Answer(Err(Errno::IO));
        }
        Standing::Resident
        | Standing::Archived { .. }
        | Standing::Dirty(_)
        | Standing::Foreign(_) => return Need::Answer(Ok(())),
    };
    let whole = Range::new(0, size);
    let range = match doing {
        Doing::Reading if trips(files, file, accessed) => Some(whole),
        Doing::Reading => accessed.intersect(whole),
        _ => Some(whole),
    };
    match range {
        Some(range) if !attribute.present.contains(range) => {
            Need::Data(Data { handle, range, size })
        }
        _ => Need::Answer(Ok(())),
    }
}

/// Of a file that was emptied: what was archived is not what it has any more.
fn forget(files: &LinuxFiles, file: &LinuxFile) -> Result<(), Errno> {
    files.remove_attribute(file).map_err(|error| {
        tracing::error!("the state of a file that was emptied stays: {error}");
        Errno::IO
    })
}

/// Sees to a file that nobody moves, if it was cut to nothing; whether it is seen to.
pub(crate) fn was_cut(files: &LinuxFiles, file: &LinuxFile) -> bool {
    match seen(files, file) {
        // If it stays, the next access sees to it.
        Ok((Stat { size: 0, .. }, Seen::As(Standing::Overwritten(_)))) => {
            forget(files, file).is_ok()
        }
        Ok((Stat { size: 0, .. }, Seen::As(Standing::Resident))) => true,
        _ => false,
    }
}
